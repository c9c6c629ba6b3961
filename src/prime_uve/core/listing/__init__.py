"""What `prime-uve list` shows: a row for each checkout, and for each environment that nobody has registered.

Checkouts that a `glance` knows to be valid cost a few calls of the system each; all others go through the survey that
an inventory is made of, and have the same status there and here.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from prime_uve.core.cache import Cache
from prime_uve.core.deadline import LOOK_SECONDS, Rounds
from prime_uve.core.listing.glance import Base, Glance, glance
from prime_uve.core.listing.listed import ListedRow, mapped_row, plain_rows, untracked_row
from prime_uve.core.paths import TRASH, bases
from prime_uve.core.repository import Repositories

if TYPE_CHECKING:
    from prime_uve.core.inventory.survey import Draft

_BATCH = 16  # checkouts for one look, which has its price; many would look as if they hung

T = TypeVar("T")


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
        return Listing(plain_rows(rows, glances, owners), [])
    more, troubles = look.closer(others, owners)
    return Listing(plain_rows(rows, glances, owners) + more, troubles)


class _Looks:
    """The looks of one listing, which together have an end."""

    def __init__(self, timeout: float) -> None:
        self._rounds = Rounds(timeout)
        self._repositories = Repositories()

    def at_bases(self, folders: Collection[str]) -> list[Base | None]:
        """Return what lies in the bases, ``None`` for one that cannot be listed."""
        found = self._rounds.ask({folder: partial(_base, folder) for folder in folders})
        return [found.get(folder) for folder in folders]

    def at_checkouts(self, rows: Mapping[str, Any], listed: Collection[Base]) -> dict[str, Glance]:
        """Return those of which there is nothing to tell but that they are valid."""
        places: dict[str, list[str]] = {}
        for project, row in rows.items():
            if isinstance(row, dict) and isinstance(row.get("venv_path"), str):
                places.setdefault(self._rounds.mounts.point_of(project), []).append(project)
        found: dict[str, Glance] = {}

        def glance_at(projects: Collection[str]) -> None:
            for project in projects:
                venv_path = rows[project]["venv_path"]
                for base in listed:
                    if place := base.place(venv_path):
                        seen = glance(project, venv_path, place, self._repositories)
                        if seen is not None:
                            found[project] = seen
                        break

        self._rounds.ask({some[0]: partial(glance_at, some) for there in places.values() for some in _batched(there)})
        return {project: found[project] for project in rows if project in found}

    def closer(self, rows: Mapping[str, Any], owners: Mapping[str, list[str]]) -> tuple[list[ListedRow], list[str]]:
        """Return rows for all that a glance does not see, and what could not be looked at; adds to `owners`.

        Args:
            rows: those of the registry that are left.
            owners: the checkouts that are seen, by their environments.
        """
        # What it needs takes longer to import than many a listing takes.
        from prime_uve.core.inventory.ownership import PROTECTING
        from prime_uve.core.inventory.spelling import folded
        from prime_uve.core.inventory.survey import Survey

        survey = Survey(bases(), self._rounds.left())
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
        listed = [mapped_row(checkout, None, (), repositories) for checkout in survey.homeless]
        for draft in survey.drafts.values():
            living = [it.project for it in draft.checkouts if it.claim in PROTECTING]
            living += owners.get(draft.path, ())
            listed += [mapped_row(it, draft, living, repositories) for it in draft.checkouts if it.source == "registry"]
        strangers = [draft for draft in survey.drafts.values() if not draft.is_mapped and draft.folder.is_environment]
        return [*listed, *self._untracked(strangers)], survey.troubles

    def _repositories_of(self, projects: Collection[str]) -> dict[str, str | None]:
        return self._rounds.ask({project: partial(self._repository, project) for project in projects})

    def _repository(self, project: str) -> str | None:
        return self._repositories.of(project) if os.path.isdir(project) else None

    def _untracked(self, drafts: "Collection[Draft]") -> Iterator[ListedRow]:
        from prime_uve.core.installed import probable_owner

        unknown = [draft.path for draft in drafts if draft.folder.owner is None and not draft.checkouts]
        guesses = self._rounds.ask({path: partial(probable_owner, path) for path in unknown})
        for draft in drafts:
            project, reason = draft.folder.owner, "marker"
            if project is None and draft.checkouts:
                project, reason = draft.checkouts[0].project, str(draft.checkouts[0].source)
            elif project is None:
                project, reason = guesses.get(draft.path), "editable"
            yield untracked_row(draft, project, reason)


def _batched(items: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _base(folder: str) -> Base | None:
    try:
        with os.scandir(folder) as entries:
            return Base(folder, [it.name for it in entries if it.is_dir(follow_symlinks=False) and it.name != TRASH])
    except FileNotFoundError:
        return Base(folder, ())
    except OSError:
        return None
