"""``prime-uve unkeep``: an environment that may be pruned again."""

from dataclasses import asdict

import click

from prime_uve.cli.options import any_path_argument, json_option, open_registry
from prime_uve.cli.output import emit_json, say
from prime_uve.core.keeping import unkeep


@click.command
@any_path_argument
@json_option
def command(path: str, *, as_json: bool) -> int:
    """Let an environment be pruned again.

    PATH is a registered checkout (default: here), or the environment of one.
    """
    done = unkeep(open_registry(), path)
    if as_json:
        emit_json(asdict(done))
    else:
        say(f"{done.environment!r} is no longer kept" if done.is_changed else f"{done.environment!r} was not kept")
    return 0
