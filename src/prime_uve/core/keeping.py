"""To keep an environment from being pruned, and to let it be pruned again."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prime_uve.core.cache import Cache, project_key
from prime_uve.core.kept import FIELD, kept
from prime_uve.core.paths import expand, quoted
from prime_uve.core.project import find_env_root
from prime_uve.core.row import text
from prime_uve.core.timestamp import now
from prime_uve.core.validation.presence import same_place
from prime_uve.errors import ProjectError


@dataclass(frozen=True, slots=True)
class Keeping:
    """What `keep` or `unkeep` came to: the `environment` as registered, by the checkouts that have it.

    `reason` and `since` are those that hold now, ``None`` where it is not kept; `is_changed` tells whether the
    registry was written.
    """

    projects: list[str]
    environment: str
    reason: str | None
    since: str | None
    is_changed: bool


def keep(cache: Cache, path: str, reason: str | None = None) -> Keeping:
    """Keep the environment of a checkout from being pruned.

    Args:
        cache: the registry.
        path: absolute; the checkout, a folder in it, or the environment of a registered checkout.
        reason: why, for people to read; ``None`` leaves the one that there is.

    Raises:
        ProjectError: nothing of that path is registered.
        CacheError: the registry cannot be read or written.
    """

    def mark(mapping: dict[str, Any]) -> None:
        before = kept(mapping)
        why, since = before or ("", None)
        mapping[FIELD] = {"reason": why if reason is None else reason, "since": since or now()}

    return _change(cache, path, mark)


def unkeep(cache: Cache, path: str) -> Keeping:
    """Let the environment of a checkout be pruned again; arguments and errors as for `keep`."""
    return _change(cache, path, lambda mapping: mapping.pop(FIELD, None))


def _change(cache: Cache, path: str, change: Callable[[dict[str, Any]], object]) -> Keeping:
    projects = _meant(cache.list_all(), path)

    def apply(rows: dict[str, Any]) -> Keeping:
        mappings = [rows[project] for project in projects if isinstance(rows.get(project), dict)]
        if not mappings:  # somebody has just unregistered it
            raise _unknown(path)
        before = [mapping.get(FIELD) for mapping in mappings]
        for mapping in mappings:
            change(mapping)
        is_changed = before != [mapping.get(FIELD) for mapping in mappings]
        reason, since = kept(mappings[0]) or (None, None)
        return Keeping(projects, text(mappings[0], "venv_path") or "", reason, since, is_changed)

    return cache.edit(apply)


def _meant(rows: Mapping[str, Mapping[str, Any]], path: str) -> list[str]:
    """Return the checkouts that `path` means: itself, those whose environment it is, or the one that it lies in."""
    for project in (project_key(Path(path)), path):
        if project in rows:
            return [project]
    projects = [project for project, mapping in rows.items() if _is_at(expand(text(mapping, "venv_path") or ""), path)]
    if projects:
        return projects
    root = find_env_root(path) if os.path.lexists(path) else None
    if root is None or root not in rows:
        raise _unknown(path)
    return [root]


def _is_at(environment: str, path: str) -> bool:
    # Links are followed for what has the same name alone: the disks of all others are not asked.
    names = [os.path.basename(os.path.normpath(each)) for each in (environment, path)]
    return os.path.isabs(environment) and names[0] == names[1] and same_place(environment, path)


def _unknown(path: str) -> ProjectError:
    return ProjectError(
        f"{path!r} is neither a registered checkout nor the environment of one; see what is registered: prime-uve "
        f"list; register a checkout: prime-uve register {quoted(path)}"
    )
