"""Which checkouts belong to one Git repository? Read off the files by which Git itself knows, without starting it."""

import os
from stat import S_ISDIR

from prime_uve.core.paths import read_regular

LARGEST = 1 << 16  # bytes
_ENTRY = os.sep + ".git"


class Repositories:
    """Remembers what it has found, so that many checkouts below one folder cost one look each."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}

    def of(self, folder: str) -> str | None:
        """Return the Git directory that all worktrees of the checkout around `folder` have in common.

        ``None`` outside of a checkout. Submodules have one of their own. It looks at disks, and can hang where they do.

        Args:
            folder: absolute, links resolved.
        """
        found = _at(folder)
        passed = []
        while found is None and os.path.dirname(folder) != folder:
            folder = os.path.dirname(folder)
            if folder in self._known:
                found = self._known[folder]
                break
            passed.append(folder)
            found = _at(folder)
        for each in passed:
            self._known[each] = found
        return found


def _at(folder: str) -> str | None:
    """Return the common directory of the checkout whose top is `folder`, ``None`` where it is none."""
    entry = folder + _ENTRY
    try:
        if S_ISDIR(os.lstat(entry).st_mode):
            return entry
    except (OSError, ValueError):
        return None
    private = os.path.realpath(entry)
    word, _, path = _line(entry).partition(b": ")
    if word == b"gitdir":  # of a worktree or a submodule
        private = os.path.normpath(os.path.join(folder, os.fsdecode(path)))
    shared = _line(os.path.join(private, "commondir"))
    return os.path.normpath(os.path.join(private, os.fsdecode(shared))) if shared else private


def _line(path: str) -> bytes:
    """Return the first line of a file, nothing where it cannot be read."""
    try:
        return read_regular(path, LARGEST).partition(b"\n")[0].rstrip(b"\r")
    except (OSError, ValueError):
        return b""
