"""What `prime-uve list` shows: a row for each checkout, and for each environment that nobody has registered.

Checkouts that a `glance` knows to be valid cost a few calls of the system each; all others go through the survey that
an inventory is made of, and have the same status there and here.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from time import gmtime, monotonic, strftime
from typing import Any, NamedTuple

from prime_uve.core.cache import Cache
from prime_uve.core.deadline import LOOK_SECONDS, Look, answers
from prime_uve.core.glance import Base, Glance, glance
from prime_uve.core.kept import FIELD, kept
from prime_uve.core.mounts import MountTable, read_table
from prime_uve.core.paths import bases, expand, portable
from prime_uve.core.repository import Repositories

UNTRACKED = "untracked"
STATUSES = ("error", "mismatch", "orphaned", UNTRACKED, "valid")  # first what needs a person
_BATCH = 64  # checkouts for one look, which has its price


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
    shared_with: list[str] | tuple[str, ...] = ()
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
    until = monotonic() + timeout
    rows = cache.rows()
    table, repositories = read_table(), Repositories()
    found = _listed(bases(), table, timeout)
    glances = _glances(rows, found, table, repositories, timeout)
    listed = [_plain_row(project, rows[project], seen) for project, seen in glances.items()]
    others = {project: row for project, row in rows.items() if project not in glances}
    children = sum(len(base.names) for base in found)
    places = {seen.environment for seen in glances.values()}
    troubles: list[str] = []
    if others or children != len(places) or len(found) != len(bases()):
        from prime_uve.core.closer import look_closer

        more, troubles = look_closer(others, places, repositories, max(0.0, until - monotonic()))
        listed += more
    return Listing(_shared(listed), troubles)
