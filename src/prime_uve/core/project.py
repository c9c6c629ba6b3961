"""Which project does a folder belong to?

Hot: imports only what a bare interpreter has already loaded.
"""

import os

from prime_uve.core.env_file import NAME
from prime_uve.errors import ProjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = "pyproject.toml"


def find_env_root(start: str) -> str | None:
    """Return the folder, at or above `start`, whose env file governs `start`; ``None`` where there is none.

    The first folder upwards that holds an env file. A ``pyproject.toml`` without one ends the search, except that a
    workspace member is governed by its workspace's root. The folder is returned with links resolved: one checkout is
    one path.

    Raises:
        ProjectError: `start` is a project of its own, without an env file, inside a project that has one.
    """
    for folder in _upwards(os.path.realpath(start)):
        if os.path.lexists(os.path.join(folder, NAME)):
            return folder
        if os.path.lexists(os.path.join(folder, MANIFEST)):
            return _governing_root(folder)
    return None


def find_project_root(start: str) -> str:
    """Return the project that `start` lies in: the root of its workspace, else the first ``pyproject.toml`` upwards.

    Raises:
        ProjectError: there is no ``pyproject.toml`` at or above `start`.
    """
    for folder in _upwards(os.path.realpath(start)):
        if os.path.lexists(os.path.join(folder, MANIFEST)):
            return _workspace_root(folder) or folder
    raise ProjectError(f"there is no {MANIFEST} in {start!r} or above it; make a project: uv init")


def _upwards(folder: str) -> "Iterator[str]":
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def _governing_root(project: str) -> str | None:
    root = _workspace_root(project)
    if root is not None:
        return root if os.path.lexists(os.path.join(root, NAME)) else None
    outer = next((f for f in _upwards(os.path.dirname(project)) if os.path.lexists(os.path.join(f, NAME))), None)
    if outer is not None and outer != project:
        raise ProjectError(
            f"{project!r} is a project of its own without a {NAME}, inside {outer!r}, which has one; "
            f"give it one: prime-uve init {project!r}, or make it a member of the workspace"
        )
    return None


def _workspace_root(member: str) -> str | None:
    """Return the root of the workspace that includes `member`, by the rules of ``tool.uv.workspace``."""
    if _workspace(member) is not None:
        return member
    for folder in _upwards(os.path.dirname(member)):
        workspace = _workspace(folder)
        if workspace is not None:
            return folder if _includes(folder, workspace, member) else None
    return None


def _workspace(folder: str) -> "dict[str, object] | None":
    manifest = os.path.join(folder, MANIFEST)
    if not os.path.lexists(manifest):
        return None
    import tomllib

    try:
        with open(manifest, "rb") as stream:
            workspace = tomllib.load(stream)["tool"]["uv"]["workspace"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return workspace if isinstance(workspace, dict) else None


def _includes(root: str, workspace: "dict[str, object]", member: str) -> bool:
    return _matches(root, workspace.get("members"), member) and not _matches(root, workspace.get("exclude"), member)


def _matches(root: str, patterns: object, member: str) -> bool:
    from glob import glob

    if not isinstance(patterns, list):
        return False
    found = (match for pattern in patterns for match in glob(str(pattern), root_dir=root, recursive=True))
    return any(os.path.normpath(os.path.join(root, match)) == member for match in found)
