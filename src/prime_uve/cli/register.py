"""``prime-uve register``: register a checkout, or accept the change of its env file."""

from dataclasses import asdict
from pathlib import Path

import click

from prime_uve.cli.options import json_option, open_registry, path_argument, require_environment
from prime_uve.cli.output import emit_json, say, warn
from prime_uve.core.registration import Outcome, register


@click.command
@path_argument
@click.option("--accept", is_flag=True, help="Take over the path in the file where the registry has another.")
@json_option
def command(path: str, *, accept: bool, as_json: bool) -> int:
    """Register a checkout.

    Takes the environment that the env file of the project at PATH (default: here) names.
    """
    root, environment = require_environment(path)
    registration = register(open_registry(), Path(root), environment, accept=accept)
    is_refused = registration.outcome in (Outcome.MISMATCH, Outcome.SHARED)
    if as_json:
        emit_json(asdict(registration))
    elif is_refused:
        warn(registration.message)
    else:
        say(registration.message or f"{root!r} is registered with {registration.venv_path!r}")
    return 1 if is_refused else 0
