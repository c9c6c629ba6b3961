"""``prime-uve list``: what is registered, and what it came to."""

from dataclasses import asdict

import click

from prime_uve.cli.options import json_option, open_registry
from prime_uve.cli.output import emit_json, say, table
from prime_uve.core.inventory import take_inventory


@click.command
@json_option
def command(*, as_json: bool) -> int:
    """Show what is registered.

    One row a checkout: its status and its environment; then each issue, with the command that mends it.
    """
    rows = take_inventory(open_registry())
    if as_json:
        emit_json([asdict(row) for row in rows])
    elif not rows:
        say("nothing is registered; register a project: prime-uve init")
    else:
        table(("STATUS", "PROJECT", "ENVIRONMENT"), [(row.status, row.project, row.venv_path) for row in rows])
        for row in rows:
            for issue in row.issues:
                say(f"{row.status}: {issue}")
    return 0
