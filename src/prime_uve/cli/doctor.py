"""``prime-uve doctor``: what is the matter with this machine, and the registry anew from what there is."""

import os
from collections.abc import Sequence
from dataclasses import asdict

import click

from prime_uve.cli.options import existing, json_option, open_registry
from prime_uve.cli.output import emit_json, progress, say, warn
from prime_uve.cli.question import is_confirmed
from prime_uve.core.cache import Cache
from prime_uve.core.diagnosis import diagnose
from prime_uve.core.diagnosis.finding import Finding, Level
from prime_uve.core.paths import working_directory
from prime_uve.core.rebuild import carry_out, discover, plan
from prime_uve.core.registration import WRITTEN, Registration
from prime_uve.errors import PrimeUveError, RefusalError


@click.command
@click.argument("roots", nargs=-1, type=click.Path())
@click.option(
    "--rebuild", is_flag=True, help="Build the registry anew from markers, and from the env files below ROOTS."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(roots: Sequence[str], *, rebuild: bool, yes: bool, as_json: bool) -> int:
    """Find out what is wrong here.

    Looks at registry, lock, permissions, disks, uv and hooks, and says what mends each finding.
    """
    cache = open_registry()
    if rebuild:
        return _rebuild(cache, [existing(root) for root in roots], is_sure=yes, as_json=as_json)
    if roots:
        raise RefusalError("ROOTS are walked only to build the registry anew: prime-uve doctor --rebuild ROOT…")
    findings = diagnose(cache, working_directory())
    is_well = all(finding.level is not Level.PROBLEM for finding in findings)
    if as_json:  # a program reads it; pruning waits until a person has
        emit_json({"ok": is_well, "findings": [asdict(finding) for finding in findings]})
        return 0 if is_well else 1
    for finding in findings:
        say(_line(finding))
    try:
        cache.acknowledge_damage()
    except PrimeUveError as error:
        warn(f"the registry cannot be told that its damage was seen: {error}")
    return 0 if is_well else 1


def _line(finding: Finding) -> str:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{finding.level:<8} {finding.subject}: {finding.message}{remedy}"


def _rebuild(cache: Cache, roots: Sequence[str], *, is_sure: bool, as_json: bool) -> int:
    with progress("looking into", is_shown=not as_json) as look_into:
        found = discover(roots, look_into)
    planned = plan(cache, found)
    wanted = [registration for registration in planned if registration.outcome in WRITTEN]
    left = [registration for registration in planned if registration.outcome not in WRITTEN]
    if not as_json:
        for registration in wanted:
            say(f"{registration.outcome:<8} {registration.project} {registration.venv_path}")
    if wanted and not (is_sure or _is_wanted(len(wanted))):
        warn("nothing was changed")
        return 1
    done = carry_out(cache, wanted)
    troubles = [*found.troubles, *(registration.message for registration in left)]
    _report(cache, done, troubles, found=len(found.environments), as_json=as_json)
    return 1 if troubles else 0


def _is_wanted(count: int) -> bool:
    """Ask, and return the answer.

    Raises:
        RefusalError: there is nobody to ask.
    """
    rows = f"{count} row" if count == 1 else f"{count} rows"
    return is_confirmed(
        f"Write {rows} into the registry?",
        otherwise=f"this would write {rows}, and there is nobody to ask; if that is right, add --yes",
    )


def _report(cache: Cache, done: Sequence[Registration], troubles: Sequence[str], *, found: int, as_json: bool) -> None:
    if as_json:
        emit_json({"registered": [asdict(registration) for registration in done], "troubles": troubles})
        return
    say(f"found {found} checkouts, wrote {len(done)} rows" + (f" into {os.fspath(cache.path)!r}" if done else ""))
    for trouble in troubles:
        warn(trouble)
