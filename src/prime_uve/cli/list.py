"""``prime-uve list``: what is registered, what there is besides, and what it came to."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

from prime_uve.cli.measures import shown_size
from prime_uve.cli.options import json_option, open_registry, timeout_option
from prime_uve.cli.output import emit_json, is_terminal, progress, say, table, warn
from prime_uve.core.listing import take_listing
from prime_uve.core.listing.arrangement import Order, arranged, chosen, repositories
from prime_uve.core.listing.listed import STATUSES, ListedRow

if TYPE_CHECKING:
    from prime_uve.core.processes import User
    from prime_uve.core.usage import Usage

# For programs, whatever is asked for.
COLUMNS = (
    *("STATUS", "PROJECT", "ENVIRONMENT", "PYTHON", "LAST USED", "SIZE", "FREES"),
    *("KEPT", "SHARED WITH", "IN USE", "REPOSITORY", "ISSUES"),
)
# For people, as far as there is something.
TITLES = ("STATUS", "PROJECT", "ENVIRONMENT", "PYTHON", "LAST USED", "SIZE", "FREES", "NOTES")
ALWAYS = TITLES[:3]


@dataclass
class Facts:
    """What takes long to find out, by the path of the environment; `users` is ``None`` where nobody asked."""

    usages: "Mapping[str, Usage]" = field(default_factory=dict)
    users: "Mapping[str, list[User]] | None" = None


@click.command(short_help="Show what is registered, and what nobody has.")
@click.option("--status", "statuses", type=click.Choice(STATUSES), multiple=True, help="Only these; can be repeated.")
@click.option("--orphan-only", is_flag=True, help="As --status orphaned.")
@click.option(
    "--sort", "order", type=click.Choice([str(each) for each in Order]), default=str(Order.PROJECT),
    help="By what; size measures. By project, the checkouts of one repository stand together.",
)  # fmt: skip
@click.option("--size", is_flag=True, help="Measure the environments: on disk, and what deleting frees.")
@click.option("--in-use", is_flag=True, help="Look for processes that use the environments.")
@timeout_option
@json_option
def command(statuses: tuple[str, ...], order: str, timeout: float, **flags: bool) -> int:
    """Show what is registered, and which environments nobody has registered.

    One row a checkout: its status and its environment; then each issue, with the command that mends it.
    """
    listing = take_listing(open_registry(), timeout=timeout)
    for trouble in listing.troubles:
        warn(trouble)
    rows = chosen(listing.rows, (*statuses, "orphaned") if flags["orphan_only"] else statuses)
    places = list(dict.fromkeys(row.venv_path_expanded for row in rows if row.venv_path_expanded))
    facts = Facts()
    if flags["size"] or order == Order.SIZE:
        facts.usages = _measured(places, timeout, is_shown=not flags["as_json"])
    if flags["in_use"]:
        facts.users = _users(places, timeout)
    rows = arranged(rows, Order(order), {place: usage.size for place, usage in facts.usages.items()})
    if flags["as_json"]:
        emit_json([_document(row, facts) for row in rows])
    elif rows and is_terminal():
        _show(rows, facts, repositories(rows) if order == Order.PROJECT else {})
    elif rows:
        table(COLUMNS, [_cells(row, facts) for row in rows])
    elif listing.rows:
        say("nothing has that status")
    else:
        say("nothing is registered; register a project: prime-uve init")
    return 0


def _measured(places: Iterable[str], timeout: float, *, is_shown: bool) -> "Mapping[str, Usage]":
    from prime_uve.core.usage import measure_all

    with progress("measuring", is_shown=is_shown) as tell:
        found = measure_all(places, timeout=timeout, progress=tell)
    return {place: each.usage for place, each in found.items() if each.size or not each.unseen}


def _users(places: Iterable[str], timeout: float) -> "Mapping[str, list[User]]":
    from prime_uve.core.processes import find_users

    return find_users(places, timeout=timeout)


def _document(row: ListedRow, facts: Facts) -> dict[str, Any]:
    place = row.venv_path_expanded
    usage = facts.usages.get(place)
    return {
        **row._asdict(),
        "kept": row.kept._asdict() if row.kept else None,
        "in_use": None if facts.users is None else [asdict(user) for user in facts.users.get(place, ())],
        "size": usage.size if usage else None,
        "freed": usage.freed if usage else None,
        "unseen": usage.unseen if usage else None,
    }


def _cells(row: ListedRow, facts: Facts) -> tuple[str, ...]:
    """Return what stands in the columns, for a program to read."""
    usage = facts.usages.get(row.venv_path_expanded) if facts.usages else None
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
        ", ".join(map(str, facts.users.get(row.venv_path_expanded, ()))) if facts.users else "",
        row.repository or "",
        " | ".join(row.issues),
    )


def _show(rows: list[ListedRow], facts: Facts, groups: Mapping[str, list[str]]) -> None:
    """Show the rows to a person: columns in which there is something, and each issue in a line of its own."""
    lines: list[tuple[str, ...]] = []
    for row in rows:
        inside = groups.get(row.repository or "", [])
        if inside and row.project == inside[0]:
            name = (row.repository or "").removesuffix(f"{os.sep}.git")
            lines.append(("", f"{name} ({len(inside)} checkouts)", *[""] * (len(TITLES) - 2)))
        lines.append(_line(row, facts, indent="  " if inside else ""))
    shown = [at for at, title in enumerate(TITLES) if title in ALWAYS or any(line[at] for line in lines)]
    table([TITLES[at] for at in shown], [[line[at] for at in shown] for line in lines])
    for row in rows:
        for issue in row.issues:
            say(f"{row.status}: {issue}")


def _line(row: ListedRow, facts: Facts, *, indent: str) -> tuple[str, ...]:
    usage = facts.usages.get(row.venv_path_expanded)
    least = "> " if usage and usage.unseen else ""
    probable = f"probably {row.probable_project}" if row.probable_project else "?"
    return (
        row.status,
        f"{indent}{row.project}" if row.project else probable,
        row.venv_path,
        row.python or "",
        (row.last_used or "").partition("T")[0],
        f"{least}{shown_size(usage.size)}" if usage else "",
        f"{least}{shown_size(usage.freed)}" if usage else "",
        "; ".join(_notes(row, facts)),
    )


def _notes(row: ListedRow, facts: Facts) -> Iterator[str]:
    if row.kept:
        yield f"kept: {row.kept.reason}" if row.kept.reason else "kept"
    if row.shared_with:
        yield "shared with " + ", ".join(row.shared_with)
    if row.probable_by:
        yield f"by its {row.probable_by}"
    yield from map(str, (facts.users or {}).get(row.venv_path_expanded, ()))
