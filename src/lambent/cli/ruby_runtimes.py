"""``lambent runtimes add ruby3.4``: the runtime client for a Ruby of this machine. Nothing is fetched.

AWS's client is the gem ``aws_lambda_ric``. Where that is installed for the Ruby in question it is used; else
ours is.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.cli.failures import EXIT_USAGE, CliError
from lambent.cli.runtimes import Runner
from lambent.node.prepared import prepared_dir
from lambent.node.ruby.runtimes import GEMS, MAIN, VERSIONS_FILE, look, rank

_CLIENT = Path(__file__).parents[1] / "node" / "ruby" / "client"
_GEM = "aws_lambda_ric"
_GEM_START = """\
# frozen_string_literal: true

$LOAD_PATH.unshift("#{__dir__}/aws_lambda_ric/lib")
ENV.delete('_LAMBDA_TELEMETRY_LOG_FD') # its frames have no time in them; its lines do without
ARGV.replace([ENV.fetch('_HANDLER')])
require 'aws_lambda_ric/bootstrap'
Bootstrap.start
"""
_ASK = """
require 'json'
gem = Gem::Specification.find_all_by_name('aws_lambda_ric').max_by(&:version)
dirs = Gem.path.reject { |dir| dir == Gem.user_dir }
$stderr.puts JSON.generate(ruby: RUBY_VERSION, api: RbConfig::CONFIG['ruby_version'], executable: RbConfig.ruby,
                           prefix: RbConfig::CONFIG['prefix'], gem_path: dirs,
                           client: gem && [gem.version.to_s, gem.full_gem_path])
"""
_PLACES = ("/usr/local/bin", "/usr/bin")
_ROOTS = (
    ("/opt", "*/bin"),
    ("/opt/rubies", "*/bin"),
    ("~/.rbenv/versions", "*/bin"),
    ("~/.rubies", "*/bin"),
    ("~/.rvm/rubies", "*/bin"),
    ("~/.asdf/installs/ruby", "*/bin"),
    ("~/.local/share/mise/installs/ruby", "*/bin"),
)
_INSTALL = "Install it first: apt-get install ruby, or with rbenv."


def find_executables() -> list[str]:
    """Every Ruby in the usual places; which version each is only it can tell."""
    return sorted({os.path.realpath(path) for path in _candidates() if os.access(path, os.X_OK)})


def _candidates() -> Iterator[Path]:
    for place in _PLACES:
        yield from (path for path in Path(place).glob("ruby*") if _is_ruby(path.name))
    for root, pattern in _ROOTS:
        yield from (place / "ruby" for place in Path(root).expanduser().glob(pattern))


def _is_ruby(name: str) -> bool:
    """``ruby`` or ``ruby3.1``, not ``ruby-lsp``."""
    return all(character.isdigit() or character == "." for character in name.removeprefix("ruby"))


def prepare_ruby(name: str, run: Runner, executables: Sequence[str] | None = None) -> bool:
    """Makes ``name`` usable; False when it was. Raises CliError when this machine has no Ruby at all."""
    found = find_executables() if executables is None else executables
    answers = [answer for executable in found if (answer := ask(executable, run))]
    if not answers:
        raise CliError(
            f"{name} needs Ruby, and there is none on this machine.", _INSTALL, EXIT_USAGE
        )
    ruby = choose(name, answers)
    target = prepared_dir(name)
    versions = _versions(ruby)
    if look(target, name) is not None and (target / VERSIONS_FILE).read_text() == versions:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / name
        _install(ruby, fresh / "runtime")
        (fresh / VERSIONS_FILE).write_text(versions)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return True


def ask(executable: str, run: Runner) -> Mapping[str, Any] | None:
    """What a Ruby says of itself; None for one that does not work."""
    code, said = run([executable, "-W0", "-e", _ASK])
    try:
        answer: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return answer if code == 0 else None


def choose(name: str, answers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The Ruby of that release, else the nearest, the newer of two; the latest of one release."""
    wanted = rank(name.removeprefix("ruby"))

    def order(answer: Mapping[str, Any]) -> tuple[int, int, list[int]]:
        parts = [int(part) for part in answer["ruby"].split(".")]
        found = rank(f"{parts[0]}.{parts[1]}")
        return -abs(found - wanted), found, parts

    return max(answers, key=order)


def _versions(ruby: Mapping[str, Any]) -> str:
    """What a prepared runtime is made of: another text, another build."""
    digest = hashlib.sha256()
    for file in sorted(_CLIENT.glob("*.rb")):
        digest.update(file.read_bytes())
    gems = _gem_dirs(ruby)
    prefix = ruby["prefix"]
    made = {
        "ruby": ruby["ruby"],
        "api": ruby["api"],
        "executable": ruby["executable"],
        "binds": [] if f"{prefix}/".startswith("/usr/") else [prefix],
        "gem_path": gems,
        "client": f"{_GEM} {ruby['client'][0]}" if ruby["client"] else "",
        "files": digest.hexdigest(),
    }
    return json.dumps(made)


def _gem_dirs(ruby: Mapping[str, Any]) -> list[str]:
    """Those that have gems in them."""
    return [path for path in ruby["gem_path"] if any(Path(path).glob("specifications/*.gemspec"))]


def _install(ruby: Mapping[str, Any], runtime: Path) -> None:
    if ruby["client"]:
        runtime.mkdir(parents=True)
        shutil.copytree(Path(ruby["client"][1]) / "lib", runtime / _GEM / "lib")
        (runtime / MAIN).write_text(_GEM_START)
    else:
        shutil.copytree(_CLIENT, runtime, ignore=shutil.ignore_patterns("__pycache__"))
    for number in range(len(_gem_dirs(ruby))):
        (runtime / GEMS / str(number)).mkdir(parents=True)  # for one to be mounted on
