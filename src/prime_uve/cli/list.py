"""``prime-uve list``: what is registered, what there is besides, and what it came to."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from prime_uve.cli.options import json_option, open_registry
from prime_uve.cli.output import emit_json, is_terminal, progress, say, sized, table, warn
from prime_uve.core.arrangement import Order, arranged, chosen, repositories
from prime_uve.core.deadline import LOOK_SECONDS
from prime_uve.core.listed import STATUSES, UNTRACKED, ListedRow
from prime_uve.core.listing import take_listing

if TYPE_CHECKING:
    from prime_uve.core.processes import User
    from prime_uve.core.usage import Usage

    Usages = Mapping[str, Usage]
    Users = Mapping[str, list[User]]

COLUMNS = (
    *("STATUS", "PROJECT", "ENVIRONMENT", "PYTHON", "LAST USED", "SIZE", "FREES"),
    *("KEPT", "SHARED WITH", "IN USE", "REPOSITORY", "ISSUES"),
)


@click.command
@click.option("--status", "statuses", type=click.Choice(STATUSES), multiple=True, help="Only these; can be repeated.")
@click.option("--orphan-only", is_flag=True, help="As --status orphaned.")
@click.option(
    "--sort", "order", type=click.Choice([str(each) for each in Order]), default=str(Order.PROJECT),
    help="By what; size measures. By project, the checkouts of one repository stand together.",
)  # fmt: skip
@click.option("--size", "is_measured", is_flag=True, help="Measure the environments: on disk, and what deleting frees.")
@click.option("--in-use", "is_asked", is_flag=True, help="Look for processes that use the environments.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=LOOK_SECONDS, metavar="SECONDS",
    show_default=True, help="How long to wait for a disk that does not answer.",
)  # fmt: skip
@json_option
def command(
    *,
    statuses: tuple[str, ...],
    orphan_only: bool,
    order: str,
    is_measured: bool,
    is_asked: bool,
    timeout: float,
    as_json: bool,
) -> int:
    """Show what is registered, and which environments nobody has registered.

    One row a checkout: its status and its environment; then each issue, with the command that mends it.
    """
    listing = take_listing(open_registry(), timeout=timeout)
    for trouble in listing.troubles:
        warn(trouble)
    rows = chosen(listing.rows, (*statuses, "orphaned") if orphan_only else statuses)
    places = list(dict.fromkeys(row.venv_path_expanded for row in rows if row.venv_path_expanded))
    is_measured |= order == Order.SIZE
    usages = _measured(places, timeout, is_shown=not as_json) if is_measured else {}
    users = _users(places, timeout) if is_asked else {}
    rows = arranged(rows, Order(order), {place: usage.size for place, usage in usages.items()})
    if as_json:
        emit_json([_document(row, usages, users if is_asked else None) for row in rows])
    elif rows and is_terminal():
        _show(rows, usages, users, is_grouped=order == Order.PROJECT)
    elif rows:
        table(COLUMNS, [_cells(row, usages, users) for row in rows])
    elif listing.rows:
        say("nothing of that status")
    else:
        say("nothing is registered; register a project: prime-uve init")
    return 0


def _measured(places: Iterable[str], timeout: float, *, is_shown: bool) -> "Usages":
    from prime_uve.core.usage import measure_all

    with progress("measuring", is_shown=is_shown) as tell:
        found = measure_all(places, timeout=timeout, progress=tell)
    return {place: each.usage for place, each in found.items() if each.size or not each.unseen}


def _users(places: Iterable[str], timeout: float) -> "Users":
    from prime_uve.core.processes import find_users

    return find_users(places, timeout=timeout)


def _document(row: ListedRow, usages: "Usages", users: "Users | None") -> dict[str, Any]:
    usage = usages.get(row.venv_path_expanded)
    return {
        **row._asdict(),
        "kept": row.kept._asdict() if row.kept else None,
        "in_use": None if users is None else [asdict(user) for user in users.get(row.venv_path_expanded, ())],
        "size": usage.size if usage else None,
        "freed": usage.freed if usage else None,
        "unseen": usage.unseen if usage else None,
    }


def _cells(row: ListedRow, usages: "Usages", users: "Users") -> tuple[str, ...]:
    """Return what stands in the columns, for a program to read."""
    usage = usages.get(row.venv_path_expanded)
    return (
        row.status,
        row.project or row.probable_project or "",
        row.venv_path,
        row.python or "",
        row.last_used or "",
        str(usage.size) if usage else "",
        str(usage.freed) if usage else "",
        (row.kept.reason or "kept") if row.kept else "",
        ", ".join(row.shared_with) if row.shared_with else "",
        ", ".join(map(str, users.get(row.venv_path_expanded, ()))) if users else "",
        row.repository or "",
        " ".join(row.issues) if row.issues else "",
    )


def _show(rows: list[ListedRow], usages: "Usages", users: "Users", *, is_grouped: bool) -> None:
    """Show the rows to a person: columns in which there is something, and each issue in a line of its own."""
    groups = repositories(rows) if is_grouped else {}
    lines: list[tuple[str, ...]] = []
    for row in rows:
        is_inside = row.repository in groups and row.project is not None
        if is_inside and row.project == groups[row.repository or ""][0]:
            name = (row.repository or "").removesuffix("/.git")
            lines.append(("", f"{name} ({len(groups[row.repository or ''])} checkouts)", *[""] * 6))
        lines.append(_line(row, usages, users, indent="  " if is_inside else ""))
    titles = ("STATUS", "PROJECT", "ENVIRONMENT", "PYTHON", "LAST USED", "SIZE", "FREES", "NOTES")
    shown = [at for at in range(len(titles)) if at < 3 or any(line[at] for line in lines)]  # noqa: PLR2004
    table([titles[at] for at in shown], [[line[at] for at in shown] for line in lines])
    for row in rows:
        for issue in row.issues:
            say(f"{row.status}: {issue}")


def _line(row: ListedRow, usages: "Usages", users: "Users", *, indent: str) -> tuple[str, ...]:
    usage = usages.get(row.venv_path_expanded)
    least = "> " if usage and usage.unseen else ""
    notes = []
    if row.kept:
        notes.append(f"kept: {row.kept.reason}" if row.kept.reason else "kept")
    if row.shared_with:
        notes.append("shared with " + ", ".join(row.shared_with))
    notes += [str(user) for user in users.get(row.venv_path_expanded, ())]
    if row.status == UNTRACKED:
        notes.append(f"by its {row.probable_by}" if row.probable_by else "")
    return (
        row.status,
        f"{indent}{row.project}"
        if row.project
        else f"probably {row.probable_project}"
        if row.probable_project
        else "?",
        row.venv_path,
        row.python or "",
        (row.last_used or "").partition("T")[0],
        f"{least}{sized(usage.size)}" if usage else "",
        f"{least}{sized(usage.freed)}" if usage else "",
        "; ".join(filter(None, notes)),
    )
