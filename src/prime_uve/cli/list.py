"""``prime-uve list``: what is registered, and what it came to."""

from operator import itemgetter
from typing import Any

import click

from prime_uve.cli.options import json_option, open_registry
from prime_uve.cli.output import emit_json, say, table
from prime_uve.core.inventory import Checkout, Inventory, take_inventory


@click.command
@json_option
def command(*, as_json: bool) -> int:
    """Show what is registered.

    One row a checkout: its status and its environment; then each issue, with the command that mends it.
    """
    rows = sorted(_rows(take_inventory(open_registry())), key=itemgetter("project"))
    if as_json:
        emit_json(rows)
    elif not rows:
        say("nothing is registered; register a project: prime-uve init")
    else:
        table(("STATUS", "PROJECT", "ENVIRONMENT"), [(row["status"], row["project"], row["venv_path"]) for row in rows])
        for row in rows:
            for issue in row["issues"]:
                say(f"{row['status']}: {issue}")
    return 0


def _rows(inventory: Inventory) -> list[dict[str, Any]]:
    registered = [(each.path, checkout) for each in inventory.environments for checkout in each.registered]
    return [
        _row(place, checkout) for place, checkout in (*registered, *(("", checkout) for checkout in inventory.homeless))
    ]


def _row(place: str, checkout: Checkout) -> dict[str, Any]:
    def text(name: str) -> str:
        value = (checkout.mapping or {}).get(name)
        return value if isinstance(value, str) else ""

    return {
        "project": checkout.project,
        "project_name": text("project_name"),
        "venv_path": text("venv_path"),
        "venv_path_expanded": place,
        "status": checkout.result.status,
        "issues": checkout.result.issues,
        "created_at": checkout.created_at,
        "last_validated": checkout.last_validated,
    }
