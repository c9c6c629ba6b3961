"""What `prime-uve list` shows: a row for each checkout, and for each environment that nobody has registered.

Checkouts that a `glance` knows to be valid cost a few calls of the system each; all others go through the survey that
an inventory is made of, and have the same status there and here.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from time import gmtime, monotonic, strftime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from prime_uve.core.cache import Cache
from prime_uve.core.deadline import LOOK_SECONDS, Look, answers
from prime_uve.core.environment import children
from prime_uve.core.glance import Base, Glance, glance
from prime_uve.core.kept import FIELD, kept
from prime_uve.core.mounts import read_table
from prime_uve.core.paths import bases, expand, portable
from prime_uve.core.repository import Repositories

if TYPE_CHECKING:
    from prime_uve.core.ownership import Checkout
    from prime_uve.core.survey import Draft

UNTRACKED = "untracked"
STATUSES = ("error", "mismatch", "orphaned", UNTRACKED, "valid")  # first what needs a person
_BATCH = 64  # checkouts for one look, which has its price
_GRACE_SECONDS = 0.5  # what answers at all has this long, however late it has become

T = TypeVar("T")


class Kept(NamedTuple):
    """Why an environment is kept, which can be empty, and since when (ISO 8601 in UTC)."""

    reason: str
    since: str | None


class ListedRow(NamedTuple):
    """One checkout with its environment, or (`project` is ``None``, the status ``untracked``) an environment alone.

    `venv_path` is as registered, `venv_path_expanded` absolute. `last_used` is ISO 8601 in UTC. `shared_with` are the
    other checkouts to which the registry or their env files give the environment. `repository` is the Git directory
    that all checkouts of one repository have in common. `probable_project` is the project that an untracked environment
    probably belongs to, as `probable_by` (``marker``, ``env file`` or ``editable``) says.
    """

    project: str | None
    project_name: str
    venv_path: str
    venv_path_expanded: str
    status: str
    issues: list[str]
    created_at: str | None
    last_validated: str | None
    python: str | None = None
    last_used: str | None = None
    shared_with: Sequence[str] = ()
    kept: Kept | None = None
    repository: str | None = None
    probable_project: str | None = None
    probable_by: str | None = None


class Listing(NamedTuple):
    """The rows, and sentences about what could not be looked at as a whole."""

    rows: list[ListedRow]
    troubles: list[str]


def take_listing(cache: Cache, *, timeout: float = LOOK_SECONDS) -> Listing:
    """Look at all that is registered and at all that lies in the bases. Writes nothing.

    Args:
        cache: the registry.
        timeout: seconds for which places that do not answer are waited for, all together.

    Raises:
        CacheError: the registry cannot be read, or there is no home.
        PrimeUveError: the bases are not absolute paths.
    """
    look = _Looks(timeout)
    rows = cache.rows()
    listed = look.at_bases(bases())
    glances = look.at_checkouts(rows, [base for base in listed if base is not None])
    owners: dict[str, list[str]] = {}
    for project, seen in glances.items():
        owners.setdefault(seen.environment, []).append(project)
    others = {project: row for project, row in rows.items() if project not in glances}
    if not others and None not in listed and sum(len(base.names) for base in listed if base) == len(owners):
        return Listing(_plain_rows(rows, glances, owners), [])
    more, troubles = look.closer(others, owners)
    return Listing(_plain_rows(rows, glances, owners) + more, troubles)


class _Looks:
    """The looks of one listing, which together have an end."""

    def __init__(self, timeout: float) -> None:
        self._until = monotonic() + timeout
        self._table = read_table()
        self._repositories = Repositories()

    def at_bases(self, folders: Collection[str]) -> list[Base | None]:
        """Return what lies in the bases, ``None`` for one that cannot be listed."""
        looks = [Look(folder, self._table.point_of(folder), partial(_base, folder)) for folder in folders]
        found = answers(looks, self._left())
        return [found.get(folder) for folder in folders]

    def at_checkouts(self, rows: Mapping[str, Any], listed: Collection[Base]) -> dict[str, Glance]:
        """Return those of which there is nothing to tell but that they are valid."""
        places: dict[str, list[tuple[str, str, str]]] = {}
        for project, row in rows.items():
            venv_path = row.get("venv_path") if isinstance(row, dict) else None
            if isinstance(venv_path, str):
                for base in listed:
                    if place := base.place(venv_path):
                        places.setdefault(self._table.point_of(project), []).append((project, venv_path, place))
                        break
        looks = [
            Look(some[0][0], point, partial(self._at_some, some))
            for point, all_there in places.items()
            for some in _batched(all_there)
        ]
        return {project: seen for found in answers(looks, self._left()).values() for project, seen in found}

    def _at_some(self, some: Collection[tuple[str, str, str]]) -> list[tuple[str, Glance]]:
        found = [(project, glance(project, path, place, self._repositories)) for project, path, place in some]
        return [(project, seen) for project, seen in found if seen is not None]

    def closer(self, rows: Mapping[str, Any], owners: Mapping[str, list[str]]) -> tuple[list[ListedRow], list[str]]:
        """Return rows for all that a glance does not see, and what could not be looked at; adds to `owners`.

        Args:
            rows: those of the registry that are left.
            owners: the checkouts that are seen, by their environments.
        """
        # What it needs takes longer to import than many a listing takes.
        from prime_uve.core.ownership import PROTECTING
        from prime_uve.core.spelling import folded
        from prime_uve.core.survey import Survey

        survey = Survey(bases(), self._left())
        survey.list_bases()
        survey.look_at(rows, ())
        for place, projects in owners.items():
            draft = survey.drafts.get(folded(place))
            if draft is not None:
                projects += [it.project for it in draft.checkouts if it.claim in PROTECTING]
                if not draft.is_mapped:
                    del survey.drafts[folded(place)]
        survey.look_into()
        survey.ask_markers()
        repositories = self._repositories_of(rows)
        listed = [_row(checkout, None, (), repositories) for checkout in survey.homeless]
        for draft in survey.drafts.values():
            living = [it.project for it in draft.checkouts if it.claim in PROTECTING]
            living += owners.get(draft.path, ())
            listed += [_row(it, draft, living, repositories) for it in draft.checkouts if it.source == "registry"]
        strangers = [draft for draft in survey.drafts.values() if not draft.is_mapped and draft.folder.is_environment]
        return [*listed, *self._untracked(strangers)], survey.troubles

    def _repositories_of(self, projects: Collection[str]) -> dict[str, str | None]:
        looks = [Look(it, self._table.point_of(it), partial(self._repository, it)) for it in projects]
        return answers(looks, self._left())

    def _repository(self, project: str) -> str | None:
        return self._repositories.of(project) if os.path.isdir(project) else None

    def _untracked(self, drafts: "Collection[Draft]") -> Iterator[ListedRow]:
        from prime_uve.core.installed import probable_owner

        unknown = [draft.path for draft in drafts if draft.folder.owner is None and not draft.checkouts]
        looks = [Look(path, self._table.point_of(path), partial(probable_owner, path)) for path in unknown]
        guesses = answers(looks, self._left())
        for draft in drafts:
            project, reason = draft.folder.owner, "marker"
            if project is None and draft.checkouts:
                project, reason = draft.checkouts[0].project, str(draft.checkouts[0].source)
            elif project is None:
                project, reason = guesses.get(draft.path), "editable"
            yield _untracked_row(draft, project, reason)

    def _left(self) -> float:
        return max(_GRACE_SECONDS, self._until - monotonic())


def _batched(items: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _base(folder: str) -> Base | None:
    try:
        return Base(folder, [child.path[len(folder) :].lstrip(os.sep) for child in children(folder) if child.is_folder])
    except OSError:
        return None


def _plain_rows(
    rows: Mapping[str, Any], glances: Mapping[str, Glance], owners: Mapping[str, list[str]]
) -> list[ListedRow]:
    listed = []
    for project, (environment, python, last_used, repository) in glances.items():
        row = rows[project]
        users = owners[environment]
        listed.append(
            ListedRow(
                project,
                _text(row, "project_name") or "",
                row["venv_path"],
                environment,
                "valid",
                [],
                _text(row, "created_at"),
                _text(row, "last_validated"),
                python,
                _stamp(last_used),
                [other for other in users if other != project] if len(users) > 1 else [],
                _kept(row) if FIELD in row else None,
                repository,
            )
        )
    return listed


def _row(
    checkout: "Checkout", draft: "Draft | None", users: Collection[str], repositories: Mapping[str, str | None]
) -> ListedRow:
    row, project = checkout.mapping or {}, checkout.project
    venv_path = _text(row, "venv_path") or ""
    return ListedRow(
        project=project,
        project_name=_text(row, "project_name") or "",
        venv_path=venv_path,
        venv_path_expanded=expand(venv_path),
        status=checkout.result.status,
        issues=checkout.result.issues,
        created_at=checkout.created_at,
        last_validated=checkout.last_validated,
        python=draft.folder.python if draft else None,
        last_used=_stamp(draft.folder.last_used) if draft else None,
        shared_with=sorted({other for other in users if other != project}),
        kept=_kept(row),
        repository=repositories.get(project),
    )


def _untracked_row(draft: "Draft", project: str | None, reason: str) -> ListedRow:
    return ListedRow(
        project=None,
        project_name="",
        venv_path=portable(draft.path),
        venv_path_expanded=draft.path,
        status=UNTRACKED,
        issues=[],
        created_at=None,
        last_validated=None,
        python=draft.folder.python,
        last_used=_stamp(draft.folder.last_used),
        probable_project=project,
        probable_by=reason if project is not None else None,
    )


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def _kept(row: Mapping[str, Any]) -> Kept | None:
    found = kept(row)
    return Kept(*found) if found is not None else None


def _stamp(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    try:
        return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(seconds))
    except (OverflowError, ValueError, OSError):  # no such time
        return None
