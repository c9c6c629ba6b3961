"""A row of a listing: one checkout with its environment, or an environment that nobody has registered."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from prime_uve.core.kept import FIELD, Kept, kept
from prime_uve.core.listing.glance import Glance
from prime_uve.core.paths import expand, portable
from prime_uve.core.row import text
from prime_uve.core.timestamp import timestamp

if TYPE_CHECKING:
    from prime_uve.core.inventory.ownership import Checkout
    from prime_uve.core.inventory.survey import Draft

UNTRACKED = "untracked"
STATUSES = ("error", "mismatch", "orphaned", UNTRACKED, "valid")  # first what needs a person


class ListedRow(NamedTuple):
    """One checkout with its environment, or (`project` is ``None``, the status ``untracked``) an environment alone.

    `venv_path` is as registered, `venv_path_expanded` absolute. `last_used` is ISO 8601 in UTC. `shared_with` are the
    other checkouts to which the registry or their env files give the environment. `repository` is the Git directory
    that all checkouts of one repository have in common. `probable_project` is the project that an untracked environment
    probably belongs to, as `probable_by` says: ``editable``, or a `prime_uve.core.inventory.Source`.
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


def plain_rows(
    rows: Mapping[str, Any], glances: Mapping[str, Glance], owners: Mapping[str, list[str]]
) -> list[ListedRow]:
    """Return the rows for checkouts that are valid.

    Args:
        rows: those of the registry.
        glances: what was seen, by project.
        owners: who has each environment.
    """
    listed = []
    for project, (environment, python, last_used, repository) in glances.items():
        row, users = rows[project], owners[environment]
        listed.append(
            ListedRow(
                project,
                text(row, "project_name") or "",
                row["venv_path"],
                environment,
                "valid",
                [],
                text(row, "created_at"),
                text(row, "last_validated"),
                python,
                timestamp(last_used),
                () if len(users) == 1 else sorted({other for other in users if other != project}),
                kept(row) if FIELD in row else None,
                repository,
            )
        )
    return listed


def mapped_row(
    checkout: "Checkout", draft: "Draft | None", users: Collection[str], repositories: Mapping[str, str | None]
) -> ListedRow:
    """Return the row for a checkout of the registry.

    Args:
        checkout: what it came to.
        draft: its environment, ``None`` where it names none.
        users: the living checkouts that have the environment.
        repositories: as of `Repositories.of`, by project.
    """
    row, project = checkout.mapping or {}, checkout.project
    venv_path = text(row, "venv_path") or ""
    return ListedRow(
        project=project,
        project_name=text(row, "project_name") or "",
        venv_path=venv_path,
        venv_path_expanded=expand(venv_path),
        status=checkout.result.status,
        issues=checkout.result.issues,
        created_at=checkout.created_at,
        last_validated=checkout.last_validated,
        python=draft.folder.python if draft else None,
        last_used=timestamp(draft.folder.last_used) if draft else None,
        shared_with=sorted({other for other in users if other != project}),
        kept=kept(row),
        repository=repositories.get(project),
    )


def untracked_row(draft: "Draft", project: str | None, reason: str) -> ListedRow:
    """Return the row for an environment that probably belongs to `project`, as `reason` says."""
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
        last_used=timestamp(draft.folder.last_used),
        probable_project=project,
        probable_by=reason if project is not None else None,
    )
