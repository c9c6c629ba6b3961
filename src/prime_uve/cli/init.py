"""``prime-uve init``: give a checkout its environment, write it down, register it."""

import os
import sys
from dataclasses import asdict

import click

from prime_uve.cli.options import absolute, json_option, open_registry, path_argument
from prime_uve.cli.output import emit_json, say, warn
from prime_uve.cli.question import is_confirmed
from prime_uve.core.initialization import Plan, carry_out, plan
from prime_uve.core.paths import portable
from prime_uve.core.project import find_project_root
from prime_uve.sync import sync


@click.command
@path_argument
@click.option(
    "--venv-dir",
    type=click.Path(),
    help="The environment; inside a base for everybody, elsewhere for this machine alone.",
)
@click.option("--force", is_flag=True, help="Replace what the env files name now.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--sync/--no-sync", default=False, help="Run uve sync afterwards (default: no).")
@json_option
def command(path: str, venv_dir: str | None, **flags: bool) -> int:
    """Give a project its environment.

    Writes .env.uve for the project at PATH (default: here) and registers it.
    """
    cache = open_registry()
    root = find_project_root(path)
    made = plan(cache, root, venv_dir=venv_dir and os.path.normpath(absolute(venv_dir)), force=flags["force"])
    if not flags["dry_run"]:
        if not (flags["yes"] or _is_wanted(made)):
            warn("nothing was changed")
            return 1
        made.registration = carry_out(cache, made)
    if flags["as_json"]:
        emit_json(_document(made, dry_run=flags["dry_run"]))
    else:
        _report(made, dry_run=flags["dry_run"], sync=flags["sync"])
    if not flags["sync"] or flags["dry_run"]:
        return 0
    code = sync(root, output=sys.stderr if flags["as_json"] else sys.stdout)
    if code != 0:
        warn(f"uv sync failed (exit code {code}); the project is registered; try again: uve sync")
    return 1 if code != 0 else 0


def _is_wanted(made: Plan) -> bool:
    """Ask, where something is to be replaced, and return the answer.

    Raises:
        RefusalError: there is nobody to ask.
    """
    changes = [f"replace {venv!r} by {made.environment!r}" for venv in made.replaced]
    changes += [f"move {path!r}, which cannot be used, to {aside!r}" for path, aside in made.set_aside.items()]
    if not changes:
        return True
    what = "; ".join(changes)
    return is_confirmed(
        f"This will {what}. Go on?",
        otherwise=f"this would {what}, and there is nobody to ask; if that is right, add --yes",
    )


def _document(made: Plan, *, dry_run: bool) -> dict[str, object]:
    return {
        "project": made.root,
        "venv_path": portable(made.environment),
        "venv_path_expanded": made.environment,
        "written": list(made.writes),
        "set_aside": made.set_aside,
        "registration": asdict(made.registration) if made.registration is not None else None,
        "notes": made.notes,
        "dry_run": dry_run,
    }


def _report(made: Plan, *, dry_run: bool, sync: bool) -> None:
    would = "would be " if dry_run else ""
    for path in made.writes:
        say(f"{would}written: {path}")
    for path, aside in made.set_aside.items():
        say(f"{would}kept: {path} as {aside}")
    for note in made.notes:
        say(note)
    say(f"project:     {made.root}")
    say(f"environment: {made.environment}")
    if made.registration is not None and made.registration.message:
        say(f"{would and 'would have '}{made.registration.message}")
    if not sync:
        say("nothing was installed; next: uve sync" if not os.path.isdir(made.environment) else "next: uve sync")
