"""The registry: which environment belongs to which checkout."""

import os
from collections.abc import Callable, Mapping
from errno import ELOOP, ENAMETOOLONG
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from prime_uve.core import kept, marker
from prime_uve.core.deadline import LOOK_SECONDS, Look, Rounds, answers
from prime_uve.core.mounts import read_table
from prime_uve.core.paths import expand, portable, quoted, registry_path
from prime_uve.core.row import text
from prime_uve.core.store import Store
from prime_uve.core.timestamp import now
from prime_uve.core.validation import ValidationResult, judge, observe_all
from prime_uve.core.validation.presence import WITNESSES, witness
from prime_uve.errors import CacheError

__all__ = ["Cache", "CacheError", "ValidationResult"]

SCHEMA_VERSION = "1.0"
LOCK_TIMEOUT = 10.0  # seconds
STAMP_TIMEOUT = 1.0  # seconds; the stamp of a validation is not worth waiting for longer
DAMAGE_SEEN = "damage_seen"  # a key at the top of the registry: names of damaged copies

T = TypeVar("T")
Row = dict[str, Any]


class Cache:
    """The persistent registry of project to environment; safe between threads, processes and forks.

    Every method reads the file anew, takes the lock for itself where it writes, and raises `CacheError` where the
    registry cannot be read or written: what cannot be read is never taken for empty. Project paths are resolved
    (links followed) before they are looked up, and then as they are, for a row that is older than the link; a relative
    one is a `ValueError`.
    """

    def __init__(self, cache_path: Path | None = None, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        """Name the registry; touches no file.

        Args:
            cache_path: the file, by default ``PRIME_UVE_CACHE``, else ``~/.prime-uve/cache.json``.
            lock_timeout: seconds to wait for another writer before a `CacheError`.

        Raises:
            CacheError: no path is given and nothing names a usable one.
        """
        path = Path(registry_path()) if cache_path is None else Path(cache_path)
        self._stamp_timeout = min(lock_timeout, STAMP_TIMEOUT)
        self._store = Store(path, version=SCHEMA_VERSION, defaults={"venvs": {}}, timeout=lock_timeout)

    @property
    def path(self) -> Path:
        """Where the registry is."""
        return self._store.path

    @property
    def lock_path(self) -> Path:
        """The file that writers lock."""
        return self._store.lock_path

    def add_mapping(self, project_path: Path, venv_path: str, project_name: str, path_hash: str) -> None:
        """Add the mapping of a project, or update it; ``created_at`` and fields that we do not know stay.

        Args:
            project_path: absolute path of the project.
            venv_path: the environment; stored with ``${HOME}`` where it lies under the home.
            project_name: sanitised name of the project.
            path_hash: 8 hex digits, see `generate_hash`.

        Raises:
            CacheError: the registry cannot be written.
            ValueError: a path is relative or holds a NUL.
        """
        project = project_key(project_path)
        row = new_row(project, venv_path, project_name, path_hash)
        self.edit(lambda rows: put(rows, project, row))

    def get_mapping(self, project_path: Path) -> Row | None:
        """Return a copy of the mapping of a project, ``None`` if it is not registered.

        ``venv_path_expanded`` is what ``venv_path`` means with the present home.
        """
        rows = self.rows()
        row = rows.get(_found(rows, self._keys(project_path)))
        return _present(row) if isinstance(row, dict) else None

    def key_of(self, project_path: Path) -> str:
        """Return the key under which a project is registered, or would be: its path, links resolved where they can be.

        Raises:
            ValueError: the path is relative or holds a NUL.
            CacheError: the registry cannot be read, or the path not be resolved.
        """
        return _found(self.rows(), self._keys(project_path))

    def remove_mapping(self, project_path: Path) -> bool:
        """Remove the mapping of a project; return whether there was one. The environment itself is not touched."""
        keys = self._keys(project_path)

        def change(rows: dict[str, Any]) -> bool:
            project = _found(rows, keys)
            is_registered = project in rows
            rows.pop(project, None)
            return is_registered

        return self.edit(change)

    def list_all(self) -> dict[str, Row]:
        """Return copies of all mappings, by resolved project path."""
        return {project: _present(row) for project, row in self.rows().items() if isinstance(row, dict)}

    def rows(self) -> dict[str, Any]:
        """Return copies of all rows as they stand, with those that are no mappings, which `list_all` leaves out."""
        rows: dict[str, Any] = self._store.read()["venvs"]
        return rows

    def validate_mapping(self, project_path: Path, *, timeout: float = LOOK_SECONDS) -> ValidationResult:
        """Compare the mapping of a project with what there is, and stamp its ``last_validated``.

        A project that is not registered is an ``error``. Failing to write the stamp is no failure of the validation.

        Args:
            project_path: absolute path of the project.
            timeout: see `validate_all`.
        """
        rows = self.rows()
        project = _found(rows, self._keys(project_path))
        if project not in rows:
            return ValidationResult(
                "error", [f"{project!r} is not registered; register it: prime-uve init {quoted(project)}"]
            )
        return self._validate({project: rows[project]}, timeout)[project]

    def validate_all(self, *, timeout: float = LOOK_SECONDS) -> dict[str, ValidationResult]:
        """Compare all mappings with what there is: the registry is read once and the stamps are written once.

        Args:
            timeout: seconds for which a mount may say nothing; what lies on it is then an ``error``. However many
                projects lie on mounts that hang, this time is lost once.
        """
        return self._validate(self.rows(), timeout)

    def clear(self) -> None:
        """Remove all mappings. The environments are not touched."""
        self.edit(lambda rows: rows.clear())

    def migrate_if_needed(self) -> None:
        """Bring a registry of an older schema to the present one, the old file kept beside it.

        Every write does this; it is here for programs that want it done now.
        """
        self._store.update(lambda _document: None)

    def damage(self) -> str | None:
        """Say what is the matter with the file as it is now; ``None`` where nothing is, or where there is none.

        Raises:
            CacheError: it cannot be read.
        """
        return self._store.damage()

    def is_lost(self) -> bool:
        """Tell whether there is no registry, and there was one: that nothing is registered then says nothing."""
        return self._store.is_lost()

    def damaged_copies(self) -> list[Path]:
        """Return the files that hold the bytes of a registry that was damaged, oldest first.

        Raises:
            CacheError: the folder cannot be read.
        """
        return self._store.damaged_copies()

    def unseen_damage(self) -> list[Path]:
        """Return the damaged copies that nobody has looked at yet; as long as there are any, nothing may be pruned.

        Raises:
            CacheError: the registry cannot be read.
        """
        seen = self._store.read().get(DAMAGE_SEEN)
        return [path for path in self.damaged_copies() if not isinstance(seen, list) or path.name not in seen]

    def acknowledge_damage(self) -> None:
        """Note that a person was told of every damaged copy that there is.

        Raises:
            CacheError: the registry cannot be written.
        """
        names = [path.name for path in self.damaged_copies()]
        if names:
            self._store.update(lambda document: document.update({DAMAGE_SEEN: names}))

    def probe_lock(self, timeout: float) -> None:
        """Take the lock and let it go again.

        Args:
            timeout: seconds to wait.

        Raises:
            CacheError: it cannot be taken; says why, and who holds it where that is known.
        """
        self._store.probe_lock(timeout)

    def edit(self, change: Callable[[dict[str, Any]], T]) -> T:
        """Change the rows in one transaction and return what `change` returns.

        Args:
            change: gets the rows by project and changes them in place; it may be called more than once and must
                have no other effect.
        """
        return self._store.update(lambda document: change(document["venvs"]))

    def _keys(self, project_path: Path) -> tuple[str, str]:
        """Return the keys under which a project may be registered; what does not answer can still be forgotten."""
        path, table = os.fspath(project_path), read_table()
        point = table.point_of(path)
        if point in (table.point_of(os.path.abspath(os.sep)), table.point_of(os.fspath(self.path))):
            return project_key(project_path), path
        return answers([Look("", point, partial(project_key, project_path))]).get("", path), path

    def _validate(self, rows: Mapping[str, Any], timeout: float) -> dict[str, ValidationResult]:
        known = {project: row if isinstance(row, dict) else {} for project, row in rows.items()}
        seen = observe_all(known, timeout=timeout)
        results = {project: judge(observation) for project, observation in seen.items()}
        if not results:
            return results
        _mark(
            {it.registered: it.project for it in seen.values() if it.lacks_marker and results[it.project].is_valid},
            timeout,
        )
        stamp = now()

        def change(present: dict[str, Any]) -> None:
            for project in results:
                if isinstance(present.get(project), dict):
                    present[project]["last_validated"] = stamp

        try:
            self._store.update(lambda document: change(document["venvs"]), timeout=self._stamp_timeout)
        except CacheError:
            # A registry on a read-only disk, or one that somebody holds, can still be validated.
            pass
        return results


def _mark(environments: Mapping[str, str], timeout: float) -> None:
    """Give each environment the marker of its project, unless it has one by now."""
    Rounds(timeout).ask({each: partial(marker.give, each, project) for each, project in environments.items()})


def project_key(project_path: Path) -> str:
    """Return the key that a project has in the registry: its path, links resolved.

    Raises:
        ValueError: the path is relative or holds a NUL.
        CacheError: the path cannot be resolved: a loop of links, a link that cannot be read, a name too long.
    """
    path = os.fspath(project_path)
    if not os.path.isabs(path):
        raise ValueError(f"the project path must be absolute, not {path!r}")
    try:
        os.stat(path)  # knows a path that is too long as a whole, be it there or not
        # Strictly: a link that cannot be read for a moment is not to become a second key of the same project.
        return os.path.realpath(path, strict=True)
    except OSError as error:
        trouble = error
    if trouble.errno not in (ELOOP, ENAMETOOLONG):
        try:
            # What is gone or out of reach has its key all the same, unless a link is there and cannot be read: older
            # Pythons raise then, and 3.13 passes over it.
            project = os.path.realpath(path)
            if not any(map(os.path.islink, (project, *map(os.fspath, Path(project).parents)))):
                return project
        except OSError as error:
            trouble = error
    raise CacheError(f"cannot resolve {path!r}: {trouble.strerror}; see ls -ld {quoted(path)}") from trouble


def _found(rows: Mapping[str, object], keys: tuple[str, str]) -> str:
    resolved, given = keys
    return given if resolved not in rows and given in rows else resolved


def new_row(project: str, venv_path: str, project_name: str, path_hash: str) -> Row:
    """Return the row of a mapping that is made now, ``venv_path`` first: the layout that `is_registered` looks for.

    Raises:
        ValueError: `venv_path` is not absolute after expansion, or holds a NUL.
    """
    expanded = expand(venv_path)
    if not os.path.isabs(expanded) or "\0" in expanded:
        raise ValueError(f"the path of an environment must be absolute, not {venv_path!r}")
    stamp = now()
    return {
        "venv_path": portable(expanded),
        "venv_path_expanded": expanded,
        "project_name": project_name,
        "path_hash": path_hash,
        "created_at": stamp,
        "last_validated": stamp,
        **witness(project),
    }


def put(rows: dict[str, Any], project: str, row: Row) -> None:
    """Lay `row` over the row that `project` has; its ``created_at`` and fields that we do not know stay.

    That it is kept goes with the environment: another one is not kept.
    """
    old = rows.get(project)
    if not isinstance(old, dict):
        rows[project] = row
        return
    stale = WITNESSES if _environment(old) == _environment(row) else {*WITNESSES, kept.FIELD}
    lasting = {name: value for name, value in old.items() if name not in row and name not in stale}
    since = {name: old[name] for name in ("created_at",) if name in old}
    rows[project] = {**row, **since, **lasting}


def _environment(row: Row) -> str:
    return os.path.normpath(expand(text(row, "venv_path") or ""))


def _present(row: Row) -> Row:
    venv_path = text(row, "venv_path")
    return dict(row) if venv_path is None else {**row, "venv_path_expanded": expand(venv_path)}
