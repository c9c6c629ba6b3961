"""The folder that Git takes the hooks of a repository from, and what lies in it."""

import os
import sys
import sysconfig
from dataclasses import dataclass

from prime_uve.core import git
from prime_uve.core.paths import is_inside, read_regular

TOOL = "prime-uve-hook"
KEPT = ".prime-uve-kept"
LEGACY = ".legacy"  # where pre-commit and prek put the hook that they find
LARGEST = 4 << 20  # bytes; Git LFS and some others have programs for hooks


@dataclass(frozen=True)
class HooksFolder:
    """Where Git looks for the hooks of a repository: `path`, absolute.

    `is_private`: it lies in the repository and belongs to nobody else. `is_committed`: it lies in the work tree.
    """

    path: str
    is_private: bool
    is_committed: bool


def find_hooks(folder: str) -> HooksFolder:
    """Return where Git looks for the hooks of the repository of `folder`, bare or not.

    Raises:
        ProjectError: there is no repository, or Git is not there.
    """
    checkout = git.find_checkout(folder)
    place = checkout or folder
    # What Git has to complain about is told where there is a repository; it knows best whether that is a bare one.
    if checkout is None and git.ask(place, "rev-parse", "--git-dir") is None:
        raise git.no_checkout(folder)
    common = git.git(place, "rev-parse", "--git-common-dir")
    hooks = _path(place, git.git(place, "rev-parse", "--git-path", "hooks"))
    is_private = is_inside(hooks, _path(place, common))
    return HooksFolder(hooks, is_private, not is_private and checkout is not None and is_inside(hooks, checkout))


def _path(folder: str, answer: bytes) -> str:
    return os.path.normpath(os.path.join(folder, os.fsdecode(answer).removesuffix("\n")))


def installed_tool() -> str:
    """Return the absolute path of the ``prime-uve-hook`` that belongs to this program; empty if there is none."""
    name = TOOL + (".exe" if sys.platform == "win32" else "")
    for folder in (os.path.dirname(os.path.abspath(sys.argv[0])), sysconfig.get_path("scripts")):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def read_hook(path: str) -> bytes:
    """Return what the hook at `path` holds, links followed; nothing where it cannot be read."""
    try:
        return read_regular(path, LARGEST)
    except OSError:
        return b""


def is_huskys(hooks: str) -> bool:
    """Tell whether the folder `hooks` is one that husky makes; its hooks go by their own names, in the folder above."""
    return os.path.basename(hooks) == "_" and os.path.lexists(os.path.join(hooks, "h"))
