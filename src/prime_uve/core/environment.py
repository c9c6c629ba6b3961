"""What a folder says of itself: is it an environment, of which Python, whose, and when was it last used?"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from prime_uve.core import marker
from prime_uve.core.paths import TRASH, read_regular

CONFIGURATION_SIZE = 1 << 16  # bytes
_VERSION = re.compile(rb"^[ \t]*version(?:_info)?[ \t]*=([^\r\n]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Folder:
    """What was read out of a folder.

    `is_environment`: it holds a ``pyvenv.cfg``. `python` is the version that this names, `owner` the checkout that the
    marker names and `last_used` the marker's mtime in POSIX seconds; each ``None`` where nothing says it.
    """

    is_environment: bool = False
    python: str | None = None
    owner: str | None = None
    last_used: float | None = None


UNREAD = Folder()


@dataclass(frozen=True, slots=True)
class Child:
    """A direct child of a base, as the listing of the base has it."""

    path: str
    is_link: bool
    is_folder: bool


def look_into(folder: str) -> Folder:
    """Read what `folder` says of itself. Writes nothing, raises nothing: what cannot be read is not said."""
    owner, last_used = marker.read(folder)
    try:
        configuration = read_regular(f"{folder}{os.sep}{marker.ENVIRONMENT_SIGN}", CONFIGURATION_SIZE)
    except (OSError, ValueError):
        return Folder(owner=owner, last_used=last_used)
    return Folder(is_environment=True, python=version_in(configuration), owner=owner, last_used=last_used)


def children(base: str) -> Iterator[Child]:
    """Yield what lies directly in `base`, the trash left out; nothing where there is no such folder.

    Raises:
        OSError: the base cannot be listed.
    """
    try:
        entries = os.scandir(base)
    except FileNotFoundError:
        return
    around = f"{base.rstrip(os.sep)}{os.sep}"  # one spelling, however many separators the base ends with
    with entries:
        for entry in entries:
            if entry.name != TRASH:
                yield Child(around + entry.name, entry.is_symlink(), entry.is_dir(follow_symlinks=False))


def version_in(configuration: bytes) -> str | None:
    """Return the version that a ``pyvenv.cfg`` names, as uv (``version_info``) or the standard library writes it."""
    match = _VERSION.search(configuration)
    text = match[1].strip().decode(errors="replace") if match else ""
    return text if text and text.isprintable() else None
