"""What ``lambent doctor`` says of Java and Ruby. Pure: all facts are handed in. Nobody has to have any."""

from collections.abc import Iterator, Sequence

from lambent.cli.doctor_checks import Finding
from lambent.node.java.jvms import Jvm
from lambent.node.java.runtimes import RELEASES, JavaRuntime
from lambent.node.ruby.runtimes import RubyRuntime


def check_javas(prepared: Sequence[JavaRuntime], jvms: Sequence[Jvm]) -> Iterator[Finding]:
    """The Java runtimes that are prepared; where none is, what could be."""
    for java in prepared:
        detail = f"Java {java.version}, {java.jvm}"
        if java.has_archive:
            yield Finding("ok", java.name, detail)
        else:
            yield Finding(
                "warn",
                java.name,
                f"{detail}: prepared for another build of it, so cold starts take longer",
                f"lambent runtimes add {java.name}",
            )
    if not prepared:
        yield Finding("ok", "Java", _no_java(jvms))


def _no_java(jvms: Sequence[Jvm]) -> str:
    newest = max((jvm.major for jvm in jvms), default=0)
    able = [release for release in RELEASES if release <= newest]
    until = (
        f"lambent runtimes add java{able[-1]}" if able else "apt-get install default-jdk-headless"
    )
    return f"none is prepared: functions in Java are refused until: {until}"


def check_rubies(prepared: Sequence[RubyRuntime], executables: Sequence[str]) -> Iterator[Finding]:
    """The Ruby runtimes that are prepared; where none is, what could be."""
    for ruby in prepared:
        client = ruby.client or "Lambent's runtime client"
        detail = f"Ruby {ruby.version}, {ruby.executable}, with {client}"
        if ruby.release == ruby.name.removeprefix("ruby"):
            yield Finding("ok", ruby.name, detail)
        else:
            remedy = f"install Ruby {ruby.name.removeprefix('ruby')}, then: lambent runtimes add {ruby.name}"
            yield Finding("warn", ruby.name, f"not here: its functions run under {detail}", remedy)
    if not prepared:
        until = "lambent runtimes add ruby3.4" if executables else "apt-get install ruby"
        yield Finding(
            "ok", "Ruby", f"none is prepared: functions in Ruby are refused until: {until}"
        )
