"""In which order a listing is shown, and which of its checkouts belong to one repository."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from operator import attrgetter

from prime_uve.core.listing.listed import STATUSES, ListedRow


class Order(StrEnum):
    """By what rows are sorted; within that by project."""

    PROJECT = "project"  # the checkouts of one repository together
    STATUS = "status"  # first what needs a person
    LAST_USED = "last-used"  # the latest first; last what is not known
    SIZE = "size"  # the largest first


def repositories(rows: Iterable[ListedRow]) -> dict[str, list[str]]:
    """Return the repositories that have several checkouts among the rows, by the first of these, with all of them."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.repository is not None and row.project is not None:
            found.setdefault(row.repository, []).append(row.project)
    several = [(min(projects), name) for name, projects in found.items() if len(projects) > 1]
    return {name: sorted(found[name]) for _, name in sorted(several)}


def arranged(rows: Collection[ListedRow], order: Order, sizes: Mapping[str, int]) -> list[ListedRow]:
    """Return the rows sorted.

    Args:
        rows: in any order.
        order: by what.
        sizes: bytes, by the path of the environment.
    """
    mapped, others = [row for row in rows if row.project is not None], [row for row in rows if row.project is None]
    listed = sorted(mapped, key=attrgetter("project")) + sorted(others, key=attrgetter("venv_path_expanded"))
    if order is Order.PROJECT:
        first = {name: projects[0] for name, projects in repositories(listed).items()}
        if first:
            listed.sort(key=lambda row: (row.project is None, first.get(row.repository or "", row.project or "")))
    elif order is Order.STATUS:
        listed.sort(key=lambda row: STATUSES.index(row.status))
    elif order is Order.LAST_USED:
        listed.sort(key=lambda row: row.last_used or "", reverse=True)
    else:
        listed.sort(key=lambda row: -sizes.get(row.venv_path_expanded, -1))
    return listed


def chosen(rows: Iterable[ListedRow], statuses: Sequence[str]) -> list[ListedRow]:
    """Return the rows of one of the statuses; all, if none is asked for."""
    return [row for row in rows if not statuses or row.status in statuses]
