"""The registry anew, from what there is: markers in the environments, and env files below some folders.

`discover` looks, `plan` compares, `carry_out` writes. What the registry has and nothing contradicts stays.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from prime_uve.core import marker
from prime_uve.core.cache import Cache
from prime_uve.core.env_file import NAME, trusted_reading
from prime_uve.core.paths import bases, expand, generate_hash, portable, quoted
from prime_uve.core.registration import Outcome, Registration, preview, register
from prime_uve.errors import PrimeUveError

# What holds no checkout of anybody's own, and may hold very many folders.
SKIPPED = frozenset((".git", ".hg", ".svn", ".tox", ".venv", "__pycache__", "node_modules", "site-packages"))


@dataclass
class Discovery:
    """What was found: the environment (as registered) by checkout, and a sentence for each thing that is no use."""

    environments: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


def discover(roots: Iterable[str], progress: Callable[[str], None] = lambda _folder: None) -> Discovery:
    """Find checkouts: those that the markers in the bases name, and those with an env file below `roots`.

    Writes nothing. Links are not followed; folders that cannot be read are told.

    Args:
        roots: absolute folders to walk.
        progress: called with each folder that is looked into.
    """
    found = Discovery()
    for base in bases():
        for environment in _folders(base, found):
            progress(environment)
            project = marker.owner(environment)
            if project is not None:
                _add(found, project)
    for root in roots:
        for folder in _walk(root, found, progress):
            _add(found, folder)
    _settle_claims(found)
    return found


def _add(found: Discovery, folder: str) -> None:
    project = os.path.realpath(folder)
    if project in found.environments:
        return
    try:
        read = trusted_reading(project)
    except PrimeUveError as error:
        found.troubles.append(str(error))
        return
    if read is not None:
        found.environments[project] = portable(read[1])


def _settle_claims(found: Discovery) -> None:
    """Leave an environment to the checkout that its marker names, or that its name was made for; else to the first."""
    claims: dict[str, list[str]] = {}
    for project, venv_path in found.environments.items():
        claims.setdefault(venv_path, []).append(project)
    for venv_path, projects in claims.items():
        named = marker.owner(expand(venv_path))
        digits = venv_path.rpartition("_")[2]
        made_for = (project for project in projects if generate_hash(Path(project)) == digits)
        keeper = named if named in projects else next(made_for, projects[0])
        for project in projects:
            if project != keeper:
                del found.environments[project]
                found.troubles.append(
                    f"{project!r} names {venv_path!r}, which belongs to {keeper!r}; "
                    f"give it its own: prime-uve init {quoted(project)}"
                )


def _walk(root: str, found: Discovery, progress: Callable[[str], None]) -> Iterator[str]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        progress(folder)
        if os.path.lexists(os.path.join(folder, NAME)):
            yield folder
        waiting += [inner for inner in _folders(folder, found) if os.path.basename(inner) not in SKIPPED]


def _folders(folder: str, found: Discovery) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.path for entry in entries if entry.is_dir(follow_symlinks=False)), reverse=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        found.troubles.append(f"cannot look into {folder!r}: {error.strerror}; see ls -ld {quoted(folder)}")
        return []


def plan(cache: Cache, found: Discovery) -> list[Registration]:
    """Return what registering each checkout that was found would come to, without those that are registered already.

    Raises:
        CacheError: the registry cannot be read.
    """
    made = [preview(cache, Path(project), place, accept=True) for project, place in sorted(found.environments.items())]
    return [registration for registration in made if registration.outcome is not Outcome.UNCHANGED]


def carry_out(cache: Cache, planned: Iterable[Registration]) -> list[Registration]:
    """Register what was planned, by the same table as everybody; return what it came to.

    Raises:
        CacheError: the registry cannot be written.
    """
    return [register(cache, Path(each.project), each.venv_path, accept=True) for each in planned]
