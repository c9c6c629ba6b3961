"""``prime-uve keep``: an environment that is not to be pruned."""

from dataclasses import asdict

import click

from prime_uve.cli.options import any_path_argument, json_option, open_registry
from prime_uve.cli.output import emit_json, say
from prime_uve.core.keeping import keep


@click.command
@any_path_argument
@click.option("--reason", metavar="TEXT", help="Why, for people to read.")
@json_option
def command(path: str, *, reason: str | None, as_json: bool) -> int:
    """Keep an environment from being pruned.

    PATH is a registered checkout (default: here), or the environment of one.
    """
    done = keep(open_registry(), path, reason)
    if as_json:
        emit_json(asdict(done))
    else:
        why = f" ({done.reason!r})" if done.reason else ""
        say(f"{done.environment!r} is kept{why}, since {done.since}")
    return 0
