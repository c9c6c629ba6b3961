"""Which project does a folder belong to?

Hot: imports only what a bare interpreter has already loaded.
"""

import os

from prime_uve.core.env_file import KEY, NAME
from prime_uve.core.paths import MANIFEST, quoted, stated, upwards
from prime_uve.errors import ProjectError


def find_env_root(start: str) -> str | None:
    """Return the folder, at or above `start`, whose env file governs `start`; ``None`` where there is none.

    That is `start` itself, or the first project upwards; a workspace member is governed by its workspace's root, if it
    has no file of its own. A file above that lies beside no ``pyproject.toml`` is nobody's: in ``/tmp`` it could be a
    stranger's. The folder is returned with links resolved: one checkout is one path.

    Raises:
        ProjectError: the project of `start` has no env file, and lies in a folder that has one.
    """
    start = os.path.realpath(start)
    if os.path.lexists(os.path.join(start, NAME)):
        return start
    project = _nearest(start, MANIFEST)
    return None if project is None else _governing_root(project)


def no_environment(start: str, root: str | None) -> ProjectError:
    """Return the error for a command at `start` that needs an environment: `root` governs it, and names none."""
    if root is None:
        where = os.path.normpath(start)
        return ProjectError(f"there is no {NAME} in {where!r} or above it; write one: prime-uve init {quoted(where)}")
    return ProjectError(f"the {NAME} of {root!r} does not set {KEY}; add it: prime-uve init {quoted(root)}")


def find_project_root(start: str) -> str:
    """Return the project that `start` lies in: the root of its workspace, else the first ``pyproject.toml`` upwards.

    Raises:
        ProjectError: there is no ``pyproject.toml`` at or above `start`.
    """
    project = _nearest(os.path.realpath(start), MANIFEST)
    if project is not None:
        return _workspace_root(project) or project
    raise ProjectError(f"there is no {MANIFEST} in {start!r} or above it; make a project: uv init")


def _nearest(start: str, *names: str) -> str | None:
    """Return the first folder, at or above `start`, that holds all of `names`."""
    for folder in upwards(start):
        if all(os.path.lexists(os.path.join(folder, name)) for name in names):
            return folder
    return None


def _governing_root(project: str) -> str | None:
    if os.path.lexists(os.path.join(project, NAME)):
        return project
    root = _workspace_root(project) or project
    if os.path.lexists(os.path.join(root, NAME)):
        return root
    outer = _nearest(os.path.dirname(root), MANIFEST, NAME)
    if outer is not None:
        raise ProjectError(
            f"{root!r} is a project of its own without a {NAME}, inside {outer!r}, which has one; "
            f"give it one: prime-uve init {quoted(root)}, or make it a member of the workspace"
        )
    return None


def _workspace_root(member: str) -> str | None:
    """Return the root of the workspace that includes `member`, found as uv finds it.

    The next ``pyproject.toml`` above decides: a project between root and member makes the member one of its own.
    """
    if _workspace(member) is not None:
        return member
    above = _nearest(os.path.dirname(member), MANIFEST)
    return above if above is not None and _includes(above, _workspace(above) or {}, member) else None


def _workspace(folder: str) -> "dict[str, object] | None":
    workspace = stated(folder, "tool", "uv", "workspace")
    return workspace if isinstance(workspace, dict) else None


def _includes(root: str, workspace: "dict[str, object]", member: str) -> bool:
    from fnmatch import fnmatchcase

    path = os.path.relpath(member, root)
    members = _patterns(root, workspace.get("members"))
    excluded = _patterns(root, workspace.get("exclude"))
    # In `exclude` alone, uv's `*` stands for any text, slashes included.
    is_excluded = any(fnmatchcase(path, pattern) or _matches(path, pattern) for pattern in excluded)
    return not is_excluded and any(_matches(path, pattern) for pattern in members)


def _patterns(root: str, listed: object) -> list[str]:
    texts = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    return [os.path.relpath(text, root) if os.path.isabs(text) else os.path.normpath(text) for text in texts]


def _matches(path: str, pattern: str) -> bool:
    """Match folder by folder, as text: to look at what there is would walk a whole tree for a ``**``."""
    from fnmatch import fnmatchcase

    folders, parts = path.split(os.sep), pattern.split(os.sep)
    reached = {0}  # how many of the folders the parts so far can stand for
    for number, part in enumerate(parts, 1):
        if part == "**":
            at_least = 1 if number == len(parts) else 0
            reached = set(range(min(reached, default=len(folders)) + at_least, len(folders) + 1))
        else:
            reached = {i + 1 for i in reached if i < len(folders) and fnmatchcase(folders[i], part)}
    return len(folders) in reached
