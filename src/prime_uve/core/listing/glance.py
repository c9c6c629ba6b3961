"""A quick look at the checkouts of which there is nothing to tell, which are nearly all.

Whoever has ten thousand of them waits for the disk, so nothing is asked that is not needed: where the env file names
the registered path letter for letter, for every reader, and that path is a folder of a base, it is known what
`prime_uve.core.validation` would find. Of everything else nothing is said here.
"""

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from prime_uve.core.env_file import KEY, LOCAL_NAME, NAME
from prime_uve.core.env_syntax import plain_values
from prime_uve.core.marker import ENVIRONMENT_SIGN
from prime_uve.core.marker import NAME as MARKER
from prime_uve.core.paths import portable
from prime_uve.core.repository import Repositories

_PLAIN = "/-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # means itself to every reader
_HOME = "${HOME}"
_MOST = 4096  # bytes that are read of a file
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_VERSION = re.compile(rb"^version(?:_info)?[ \t]*=[ \t]*([!-~]+)[ \t\r]*$", re.MULTILINE)
_ENV_FILE, _LOCAL_FILE = os.sep + NAME, os.sep + LOCAL_NAME
_CONFIGURATION, _MARKER = os.sep + ENVIRONMENT_SIGN, os.sep + MARKER


class Glance(NamedTuple):
    """A valid checkout: its environment, absolute, the Python and the last use (POSIX seconds) of that.

    `repository` is as of `Repositories.of`. What is not known is ``None``.
    """

    environment: str
    python: str | None
    last_used: float | None
    repository: str | None


class Base:
    """A base with the names of the folders in it; `prefix` is how the registry spells what lies there."""

    def __init__(self, path: str, names: Iterable[str]) -> None:
        self.path = path.rstrip(os.sep)
        self.prefix = portable(self.path) + "/"
        self.names = frozenset(names)
        is_plain = not self.prefix.removeprefix(_HOME).strip(_PLAIN) and ".." not in self.path.split(os.sep)
        if not is_plain:
            self.names = frozenset()

    def place(self, venv_path: str) -> str | None:
        """Return the folder of this base that a registered path means for sure; else ``None``."""
        name = venv_path[len(self.prefix) :]
        is_there = name in self.names and venv_path.startswith(self.prefix) and not name.strip(_PLAIN)
        return f"{self.path}{os.sep}{name}" if is_there else None


def glance(project: str, venv_path: str, place: str, repositories: Repositories) -> Glance | None:
    """Return what there is to see of a checkout, if it is valid for sure and there is nothing more to tell.

    Args:
        project: resolved path.
        venv_path: its environment as registered.
        place: what `Base.place` says of that.
        repositories: what was found before.
    """
    try:
        content = _read(project + _ENV_FILE)
    except (OSError, ValueError):
        return None
    if content != f"{KEY}={venv_path}\n".encode() and not _names(content, venv_path):
        return None
    if not _is_absent(project + _LOCAL_FILE):
        return None
    return Glance(place, python_of(place), last_use_of(place), repositories.of(project))


def _names(content: bytes, venv_path: str) -> bool:
    """Tell whether an env file names a registered path, beside whatever else it holds, for every reader."""
    return len(content) < _MOST and (plain_values(content) or {}).get(KEY) == venv_path


def _is_absent(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def python_of(environment: str) -> str | None:
    """Return the version that the ``pyvenv.cfg`` of an environment names, as uv or the standard library writes it."""
    try:
        found = _VERSION.search(_read(environment + _CONFIGURATION))
    except (OSError, ValueError):
        return None
    return found[1].decode() if found else None


def last_use_of(environment: str) -> float | None:
    """Return when an environment was last used, in POSIX seconds, where its marker tells."""
    try:
        return os.stat(environment + _MARKER).st_mtime
    except (OSError, ValueError):
        return None


def _read(path: str) -> bytes:
    # By hand: `open` takes twice the time.
    descriptor = os.open(path, _FLAGS)
    try:
        return os.read(descriptor, _MOST)
    finally:
        os.close(descriptor)
