"""Are two checkouts of one project? By what Git knows of them here, which no repository can say of itself."""

import os
from pathlib import Path

from prime_uve.core import git
from prime_uve.core.paths import get_project_name
from prime_uve.core.repository import Repositories
from prime_uve.errors import ProjectError


def is_same_project(one: str, other: str) -> bool:
    """Tell whether two folders are checkouts of one project: worktrees, clones or copies.

    In Git they are that where they belong to one repository, were cloned from one place or one from the other, or, if
    neither was cloned, have a first commit in common. Without Git, where they have one name. What is in Git and what is
    not are two projects.
    """
    tops = git.top(one), git.top(other)
    if tops[0] is None or tops[1] is None:
        return tops == (None, None) and get_project_name(Path(one)) == get_project_name(Path(other))
    try:
        return _is_same_repository(tops[0], tops[1])
    except ProjectError:  # no Git here, and so nothing that was cloned here
        return get_project_name(Path(one)) == get_project_name(Path(other))


def _is_same_repository(one: str, other: str) -> bool:
    repositories = Repositories()
    commons = repositories.of(one), repositories.of(other)
    if None in commons:
        return False
    if commons[0] == commons[1]:
        return True
    origins = _origin(one), _origin(other)
    if origins == (None, None):
        first, second = (set(_lines(top, "rev-list", "--max-parents=0", "HEAD")) for top in (one, other))
        return not first.isdisjoint(second)
    if origins[0] == origins[1]:
        return True
    places = {other, commons[1]}, {one, commons[0]}
    return any(origin in theirs for origin, theirs in zip(origins, places, strict=True))


def _origin(top: str) -> str | None:
    """Return where a checkout was cloned from; a path of this machine with links resolved."""
    lines = _lines(top, "config", "--get", "remote.origin.url")
    if not lines:
        return None
    place = os.path.join(top, lines[0].removeprefix("file://"))
    return os.path.realpath(place) if os.path.lexists(place) else lines[0]


def _lines(top: str, *args: str) -> list[str]:
    # Named, because a hook that runs us has variables that name another one.
    return os.fsdecode(git.ask(top, f"--git-dir={os.path.join(top, '.git')}", *args) or b"").splitlines()
