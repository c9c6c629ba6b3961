"""``prime-uve hook``: have Git run ours, take that back, and see who runs it."""

from dataclasses import asdict

import click

from prime_uve.cli.options import json_option, path_argument
from prime_uve.cli.output import emit_json, say, table, warn
from prime_uve.core.hooks import configured
from prime_uve.core.hooks.folder import HooksFolder, find_hooks, installed_tool
from prime_uve.core.hooks.native import Action, Step, carry_out, plan_install, plan_uninstall
from prime_uve.core.hooks.status import Coverage, coverage

global_option = click.option(
    "--global", "is_global", is_flag=True, help="For all repositories, in Git's configuration (Git 2.54 and newer)."
)
force_option = click.option("--force", is_flag=True, help="Also in hooks that other repositories share.")


@click.group
def command() -> None:
    """Have Git itself run the hooks.

    Without pre-commit, prek or another manager. Each of these takes --json.
    """


@command.command("install")
@path_argument
@global_option
@force_option
@json_option
def install(path: str, *, is_global: bool, force: bool, as_json: bool) -> int:
    """Have Git check commits, and register what it brings.

    In the repository of PATH (default: here). A hook that is there already is kept, and run first.
    """
    if is_global:
        changed = configured.install(path, installed_tool())
        return _report_global(changed, Action.INSTALL, as_json=as_json)
    folder = find_hooks(path)
    steps = plan_install(folder, force=force)
    carry_out(steps)
    code = _report(folder, steps, as_json=as_json)
    for found in coverage(path) if not as_json else ():
        if len(found.by) > 1:
            warn(f"{found.event} is covered {len(found.by)} times: by {' and by '.join(found.by)}; one is enough")
    return code


@command.command("uninstall")
@path_argument
@global_option
@force_option
@json_option
def uninstall(path: str, *, is_global: bool, force: bool, as_json: bool) -> int:
    """Put back what was there before.

    In the repository of PATH (default: here). What is not ours stays as it is.
    """
    if is_global:
        return _report_global(configured.uninstall(path), Action.REMOVE, as_json=as_json)
    folder = find_hooks(path)
    steps = plan_uninstall(folder, force=force)
    carry_out(steps)
    return _report(folder, steps, as_json=as_json)


@command.command("status")
@path_argument
@json_option
def status(path: str, *, as_json: bool) -> int:
    """Show who runs ours, for each event of Git.

    In the repository of PATH (default: here). Exit code 0 if every event is covered, 1 if not.
    """
    found = coverage(path)
    is_covered = all(event.by for event in found)
    if as_json:
        emit_json({"hooks": find_hooks(path).path, "covered": is_covered, "events": [asdict(event) for event in found]})
    else:
        table(("EVENT", "COVERED BY"), [(event.event, ", ".join(event.by) or "nobody") for event in found])
        for sentence in _remedies(found):
            warn(sentence)
    return 0 if is_covered else 1


def _remedies(found: list[Coverage]) -> list[str]:
    """Return a sentence for each remedy, with the events that it is for."""
    events: dict[str, list[str]] = {}
    for event in found:
        if event.remedy:
            events.setdefault(event.remedy, []).append(event.event)
    return [f"nobody runs prime-uve-hook for {', '.join(names)}: {remedy}" for remedy, names in events.items()]


def _report(folder: HooksFolder, steps: list[Step], *, as_json: bool) -> int:
    if as_json:
        emit_json({"hooks": folder.path, "events": {step.event: step.action for step in steps}})
    else:
        for step in steps:
            say(f"{step.action:<12} {step.path}")
    for step in steps:
        if step.note:
            warn(step.note)
    return 1 if any(step.action is Action.LEAVE for step in steps) else 0


def _report_global(changed: dict[str, bool], action: Action, *, as_json: bool) -> int:
    outcomes = {event: action if is_changed else Action.NOTHING for event, is_changed in changed.items()}
    if as_json:
        emit_json({"hooks": None, "events": outcomes})
    else:
        for event, outcome in outcomes.items():
            say(f"{outcome:<12} hook.{configured.OURS}{event}")
    return 0
