"""What a test may see of the machine that it runs on: a clean environment, and no real home directory."""

import getpass
import os
import re
import site
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Names that steer uv, Git, the hook runners, Python or a terminal. Tests set those that they mean.
_STEERING = re.compile(
    r"CI|GITHUB_.*|GITLAB_.*|UV|UV_.*|VIRTUAL_ENV.*|CONDA_.*|GIT_.*|PRIME_UVE_.*|_?PRE_COMMIT.*|PREK_.*|SKIP|XDG_.*"
    r"|PYTHONPATH|PYTHONHOME|PYTHONHASHSEED|FORCE_COLOR|NO_COLOR|CLICOLOR.*|PY_COLORS|COLUMNS|LINES"
)
# The part of them without which this machine may not reach its package index.
_INDEX = re.compile(
    r"UV_(DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|INDEX.*|KEYRING_PROVIDER|INSECURE_HOST|OFFLINE|HTTP_TIMEOUT"
    r"|NATIVE_TLS|SYSTEM_CERTS)|GIT_SSL_CA(INFO|PATH)"
)


def _real_homes() -> Iterator[str]:
    for home in ("~", f"~{getpass.getuser()}"):
        path = os.path.expanduser(home)
        yield from (path, os.path.realpath(path))


# Where the home is the root of the file system (some containers), there is nothing to tell apart.
REAL_HOMES = frozenset(_real_homes()) - {os.path.abspath(os.sep)}
# What tests need, even where it lies in the home.
_ALLOWED = {
    place
    for path in (str(ROOT), tempfile.gettempdir(), sys.prefix, sys.base_prefix, *site.getsitepackages())
    for place in (os.path.abspath(path), os.path.realpath(path))
}
_EVENTS = {"open", "shutil.rmtree", "sqlite3.connect"} | {
    f"os.{name}"
    for name in (
        *("chdir", "chmod", "chown", "link", "listdir", "mkdir", "remove"),
        *("rename", "rmdir", "scandir", "symlink", "truncate", "utime"),
    )
}


class RealHomeTouchedError(BaseException):
    """A test reached for the home of the person who runs it. Not an ``Exception``: nothing is to swallow it."""


def guard_real_home() -> None:
    """Make this process unable to read or write below the real home directory, whatever asks for it.

    Python reports what it opens, lists, makes and removes to audit hooks, which nothing can take out again. It does
    not report ``os.stat``, and what another process does is not seen here: processes get a ``HOME`` of their own.
    """

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event not in _EVENTS:
            return
        for arg in args[:2]:
            if isinstance(arg, str | bytes | os.PathLike) and _is_in_real_home(os.fsdecode(arg)):
                msg = f"{event} on {os.fsdecode(arg)!r}: a test may not touch the real home"
                raise RealHomeTouchedError(msg)

    sys.addaudithook(hook)


def _is_in_real_home(path: str) -> bool:
    if not os.path.isabs(path):
        try:
            path = os.path.join(os.getcwd(), path)
        except FileNotFoundError:  # the working directory is gone, and so was no home
            return False
    path = os.path.normpath(path)
    return any(
        _lies_in(path, home) and not any(_lies_in(path, allowed) for allowed in _ALLOWED if _lies_in(allowed, home))
        for home in REAL_HOMES
    )


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)


def steering_variables() -> set[str]:
    """Return the names in the environment of this process that a test must not inherit."""
    return {name for name in os.environ if _STEERING.fullmatch(name) and not _INDEX.fullmatch(name)}


def index_configuration(folder: Path) -> dict[str, str]:
    """Return variables that keep pip's and uv's configured index working once ``HOME`` is another.

    ``folder`` is where a configuration folder is made if uv needs one.
    """
    variables: dict[str, str] = {}
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    pip = (
        configuration / "pip/pip.conf",
        Path("~/.pip/pip.conf").expanduser(),
        Path("~/Library/Application Support/pip/pip.conf").expanduser(),
        Path(os.environ.get("APPDATA", configuration)) / "pip/pip.ini",
    )
    found = [path for path in pip if path.is_file()]
    if found and "PIP_CONFIG_FILE" not in os.environ:
        variables["PIP_CONFIG_FILE"] = str(found[0])
    uv = configuration / "uv/uv.toml"
    if uv.is_file():
        link = folder / "uv/uv.toml"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(uv)
        variables["XDG_CONFIG_HOME"] = str(folder)
    return variables
