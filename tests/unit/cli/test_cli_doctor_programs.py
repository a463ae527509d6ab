"""What doctor says of Java and Ruby."""

from pathlib import Path

from lambent.cli.doctor_programs import check_javas, check_rubies
from lambent.node.java.jvms import Jvm
from lambent.node.java.runtimes import JavaRuntime
from lambent.node.ruby.runtimes import RubyRuntime


def make_ruby(version: str, client: str = "") -> RubyRuntime:
    return RubyRuntime("ruby3.2", version, "3.1.0", Path("/r"), "/usr/bin/ruby", "b", client)


def test_a_prepared_java_is_told() -> None:
    """With its JVM; one that was upgraded since is to be added again."""
    fast = JavaRuntime("java17", "17.0.15", Path("/p"), Path("/jvm"), "b", has_archive=True)
    slow = JavaRuntime("java21", "21.0.1", Path("/p"), Path("/jvm"), "b")
    found, upgraded = check_javas([fast, slow], [])
    assert (found.status, found.title, "17.0.15" in found.detail) == ("ok", "java17", True)
    assert (upgraded.status, upgraded.remedy) == ("warn", "lambent runtimes add java21")


def test_without_java_it_says_what_could_be() -> None:
    """The newest that a JVM of this machine can run, else what to install; no fault either way."""
    (able,) = check_javas([], [Jvm("11.0.2", Path("/a"), True), Jvm("24.0.1", Path("/b"), True)])
    assert (able.status, "lambent runtimes add java21" in able.detail) == ("ok", True)
    (none,) = check_javas([], [])
    assert (none.status, "apt-get install default-jdk-headless" in none.detail) == ("ok", True)


def test_a_ruby_of_another_release_is_told_as_such() -> None:
    """The release asked for is fine; another one is a warning with what mends it."""
    (exact,) = check_rubies([make_ruby("3.2.4", "aws_lambda_ric 3.1.0")], [])
    assert (exact.status, "aws_lambda_ric 3.1.0" in exact.detail) == ("ok", True)
    (other,) = check_rubies([make_ruby("3.1.2")], [])
    assert (other.status, "run under Ruby 3.1.2" in other.detail) == ("warn", True)
    assert other.remedy == "install Ruby 3.2, then: lambent runtimes add ruby3.2"


def test_without_ruby_it_says_what_to_do() -> None:
    """To prepare the one that is there, or to install one."""
    (there,) = check_rubies([], ["/usr/bin/ruby"])
    assert "lambent runtimes add ruby" in there.detail
    (none,) = check_rubies([], [])
    assert (none.status, "apt-get install ruby" in none.detail) == ("ok", True)
