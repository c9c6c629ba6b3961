"""``prime-uve repair``: put right what a move has left."""

from dataclasses import asdict

import click

from prime_uve.cli.options import json_option, open_registry, path_argument, require_environment
from prime_uve.cli.output import emit_json, say, warn
from prime_uve.cli.question import is_confirmed
from prime_uve.core.paths import expand, quoted
from prime_uve.core.registration import OWNED, Outcome, Registration
from prime_uve.core.repair import Plan, carry_out, plan


@click.command
@path_argument
@click.option("--yes", is_flag=True, help="A checkout that is not there has moved: do not ask.")
@json_option
def command(path: str, *, yes: bool, as_json: bool) -> int:
    """Put right what a move has left.

    Gives the project at PATH (default: here) the mapping and the environment that it had in its old place.
    """
    cache = open_registry()
    root, environment = require_environment(path)
    made = plan(cache, root, environment)
    if made.absent is not None and not (yes or _has_moved(made)):
        warn("nothing was changed")
        return 1
    done = carry_out(cache, made)
    if as_json:
        emit_json({**asdict(done), "made_at": made.made_at})
    else:
        _report(made, done)
    return 0 if done.outcome in OWNED else 1


def _has_moved(made: Plan) -> bool:
    """Ask whether the checkout that is not there has moved here.

    Raises:
        RefusalError: there is nobody to ask.
    """
    found = f"{made.registration.venv_path!r} belongs to {made.absent!r}, which is not there, or out of reach"
    project = made.registration.project
    return is_confirmed(
        f"{found}. Has it moved to {project!r}?",
        otherwise=f"{found}; if it has moved to {project!r}: prime-uve repair --yes {quoted(project)}",
    )


def _report(made: Plan, done: Registration) -> None:
    project = quoted(done.project)
    if done.outcome not in OWNED:
        warn(done.message)
        return
    is_right = done.outcome is Outcome.UNCHANGED and made.made_at is None and not made.is_witness_stale
    say(
        done.message
        or f"{done.project!r} is registered with {done.venv_path!r}" + ("" if is_right else " as it is now")
    )
    if made.made_at is not None:
        warn(
            f"the environment {expand(done.venv_path)!r} was made at {made.made_at!r}, which its scripts name; make "
            f"them anew: uve venv --allow-existing --project {project} && uve sync --reinstall --project {project}"
        )
    elif done.outcome is Outcome.MOVED:
        say(f"an editable install still names the old place; bring it here: uve sync --project {project}")
