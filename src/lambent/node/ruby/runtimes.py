"""Which Ruby runtimes this host has: those that ``lambent runtimes add`` has prepared.

A prepared one is a directory: ``runtime``, which functions find at ``/var/runtime`` (the runtime client,
``main.rb`` that starts them); and ``versions.json``, written last: which interpreter it was made for. That
stays where it is. Looking starts no process.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lambent.node.prepared import prepared_dir

RELEASES = ("3.2", "3.3", "3.4", "4.0")
RUBY_RUNTIME_NAMES = tuple(f"ruby{release}" for release in RELEASES)
"""Those AWS still lets functions be created with. Source: botocore's ``Runtime``."""
VERSIONS_FILE = "versions.json"
MAIN = "main.rb"
WAITING = "waiting.rb"
GEMS = "gems"
"""Holds an empty directory for each of the host's directories of gems, by number."""
_PREFIX = "ruby"
_READ_AT_START = (
    "AWS_LAMBDA_",  # the wrapper script among them
    "BUNDLE",
    "GEM_",
    "GLIBC_TUNABLES",
    "LANGUAGE",
    "LC_",
    "LD_",
    "MALLOC_",
    "OPENSSL_",
    "RUBY",
    "SSL_CERT_",
    "TZDIR",
)
"""How variables begin that the C library, Ruby, RubyGems, Bundler and OpenSSL read when they start."""


@dataclass(frozen=True, slots=True)
class RubyRuntime:
    """One prepared runtime: ``version`` is the interpreter's own (3.1.2), ``api`` what its gems are compiled
    for (3.1.0).

    ``client``: AWS's gem and its version, or nothing for our own. ``binds``: directories outside ``/usr`` it
    needs. ``gem_path``: where the host's gems are, nothing for what is gone. ``build``: 64 hex digits, another
    one after an upgrade.
    """

    name: str
    version: str
    api: str
    root: Path
    executable: str
    build: str
    client: str = ""
    binds: tuple[str, ...] = ()
    gem_path: tuple[str, ...] = ()

    @property
    def release(self) -> str:
        """``3.1``."""
        return ".".join(self.version.split(".")[:2])

    @property
    def mounted_gems(self) -> dict[str, str]:
        """Gems outside of ``/usr``: where functions find them in ``/var/runtime`` → path on the host."""
        there = ("/usr/", *self.binds)
        return {
            f"{GEMS}/{number}": path
            for number, path in enumerate(self.gem_path)
            if path and not path.startswith(there)
        }

    @property
    def runtime_dir(self) -> Path:
        """What functions find at ``/var/runtime``."""
        return self.root / "runtime"


def is_ruby(runtime: str) -> bool:
    """Whether a runtime name is one of Ruby."""
    return runtime.startswith(_PREFIX)


@cache
def find_rubies() -> tuple[RubyRuntime, ...]:
    """The prepared ones, oldest first, as they are when this is first asked."""
    found = (look(prepared_dir(name), name) for name in RUBY_RUNTIME_NAMES)
    return tuple(ruby for ruby in found if ruby is not None)


def look(root: Path, name: str) -> RubyRuntime | None:
    """What is prepared there; None where nothing whole is, or its interpreter is gone."""
    try:
        text = (root / VERSIONS_FILE).read_text()
        made = json.loads(text)
        executable = made["executable"]
        file = Path(executable).stat()
        binds = tuple(path for path in made["binds"] if Path(path).is_dir())
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not os.access(executable, os.X_OK) or not (root / "runtime" / MAIN).is_file():
        return None
    known = f"{text}\0{file.st_size}\0{file.st_mtime_ns}"
    build = hashlib.sha256(known.encode()).hexdigest()
    gems = tuple(path if Path(path).is_dir() else "" for path in made["gem_path"])
    return RubyRuntime(
        name, made["ruby"], made["api"], root, executable, build, made["client"], binds, gems
    )


def choose_ruby(name: str, found: Sequence[RubyRuntime]) -> tuple[RubyRuntime | None, str | None]:
    """The runtime for ``ruby3.4``: that one, else the nearest, the newer of two, and what to say of it then.

    As for Python: a Ruby function is source, and most of it runs in the release before; what does not says so
    itself. None where there is none at all. Raises LookupError for a name that is none of those that are served.
    """
    if name not in RUBY_RUNTIME_NAMES:
        raise LookupError(name)
    release = name.removeprefix(_PREFIX)
    add = f"run: lambent runtimes add {name}"
    if not found:
        return None, f"{name} is not on this host. With Ruby there (apt-get install ruby), {add}"
    exact = [ruby for ruby in found if ruby.name == name]
    wanted = rank(release)
    ruby = (
        exact
        or sorted(found, key=lambda r: (abs(rank(r.release) - wanted), -rank(r.release), r.name))
    )[0]
    if ruby.release == release:
        return ruby, None
    return ruby, (
        f"{name} is not on this host; the function runs under Ruby {ruby.version} ({ruby.executable}). "
        f"With Ruby {release} there, {add}"
    )


def rank(release: str) -> int:
    """A release as a number; the difference of two is how far they are apart."""
    major, _, minor = release.partition(".")
    return int(major) * 10 + int(minor)


def ruby_command(executable: str, runtime_dir: str) -> list[str]:
    """How a function is started."""
    return [executable, f"{runtime_dir}/{MAIN}"]


def ruby_waiting(ruby: RubyRuntime, runtime_dir: str, names: Iterable[str]) -> list[str]:
    """How it is started to wait to hear whose it is (ADR 27); nothing where it cannot.

    AWS's client does not know how; a function whose variables Ruby reads when it starts needs one of its own.
    """
    if ruby.client or any(name.startswith(_READ_AT_START) for name in names):
        return []
    return [ruby.executable, f"{runtime_dir}/{WAITING}"]


def ruby_environ(
    ruby: RubyRuntime,
    runtime: str,
    runtime_dir: str,
    opt_dir: str,
    task_dir: str,
    *,
    is_mounted: bool = False,
) -> dict[str, str]:
    """Where ``require`` looks. Source: AWS's ``GEM_PATH``, ``RUBYLIB`` and the paths of layers.

    The directories of gems have the name of the release asked for; where another one runs, that one's come
    after; the host's own are the last, in ``runtime_dir`` where they are mounted.
    """
    inside = {path: f"{runtime_dir}/{place}" for place, path in ruby.mounted_gems.items()}
    hosts = [inside.get(path, path) if is_mounted else path for path in ruby.gem_path if path]
    asked = f"{runtime.removeprefix(_PREFIX)}.0"
    gems = [
        f"{root}/{api}"
        for api in dict.fromkeys((asked, ruby.api))
        for root in (f"{task_dir}/vendor/bundle/ruby", f"{opt_dir}/ruby/gems")
    ]
    return {
        "GEM_PATH": ":".join([*gems, *hosts]),
        "RUBYLIB": f"{task_dir}:{runtime_dir}/lib:{opt_dir}/ruby/lib",
    }
