"""Which checkouts belong to one Git repository? Read off the files by which Git itself knows, without starting it."""

import os

from prime_uve.core.paths import read_regular

LARGEST = 1 << 16  # bytes


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
        passed = []
        while folder not in self._known:
            passed.append(folder)
            entry = f"{folder}{os.sep}.git"
            if os.access(entry, os.F_OK):
                self._known[folder] = _common(folder, entry)
                break
            above = os.path.dirname(folder)
            if above == folder:
                self._known[folder] = None
                break
            folder = above
        found = self._known[folder]
        for inner in passed:
            self._known[inner] = found
        return found


def _common(folder: str, entry: str) -> str | None:
    """Return the common directory of the checkout at `folder`, whose ``.git`` is `entry`."""
    if os.path.isdir(entry):
        # The checkout of a bare repository may have one that is a link.
        private = os.path.realpath(entry) if os.path.islink(entry) else entry
    else:
        word, _, path = _line(entry).partition(b": ")
        if word != b"gitdir" or not path:
            return None
        private = os.path.normpath(os.path.join(folder, os.fsdecode(path)))
    shared = _line(os.path.join(private, "commondir"))
    return os.path.normpath(os.path.join(private, os.fsdecode(shared))) if shared else private


def _line(path: str) -> bytes:
    """Return the first line of a file, nothing where it cannot be read."""
    try:
        return read_regular(path, LARGEST).partition(b"\n")[0].rstrip(b"\r")
    except (OSError, ValueError):
        return b""
