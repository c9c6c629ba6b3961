"""``prime-uve prune``: delete environments that nobody needs any more."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import click

from prime_uve.cli.measures import duration, shown_day, shown_size, size
from prime_uve.cli.options import absolute, json_option, open_registry, timeout_option
from prime_uve.cli.output import emit_json, progress, say, table, warn
from prime_uve.cli.question import is_confirmed
from prime_uve.core.cache import Cache
from prime_uve.core.deadline import Rounds
from prime_uve.core.env_file import NAME
from prime_uve.core.paths import bases, is_inside, working_directory
from prime_uve.core.project import find_env_root
from prime_uve.core.removal import Choice, Plan, Refusal, Report, Target, execute, plans
from prime_uve.core.timestamp import timestamp
from prime_uve.errors import PrimeUveError, ProjectError


@click.command
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=str, callback=lambda _c, _p, it: tuple(map(absolute, it)))
@click.option("--orphan", is_flag=True, help="What no checkout claims any more.")
@click.option("--all", "everything", is_flag=True, help="Everything that the registry or a marker knows.")
@click.option("--current", is_flag=True, help="The environment of the checkout here, if nobody else uses it.")
@click.option("--untracked", is_flag=True, help="What neither the registry nor a marker knows.")
@click.option(
    "--older-than", metavar="AGE", callback=duration, help="Only what was last used so long ago: 90d, 12h, 2w."
)
@click.option("--larger-than", metavar="SIZE", callback=size, help="Only what takes more on the disk: 1G, 500M, 1GiB.")
@click.option("--include-unreachable", is_flag=True, help="Also what belongs to checkouts that cannot be looked at.")
@click.option("--force", is_flag=True, help="Also what is kept.")
@timeout_option
@click.option("--dry-run", is_flag=True, help="Show what would go, and delete nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(
    paths: tuple[str, ...], older_than: float | None, larger_than: int | None, timeout: float, **flags: bool
) -> int:
    """Delete environments.

    PATH is a checkout, or the folder of an environment. What would go is shown, and you are asked. Without a choice it
    shows what each choice would free, and deletes nothing.
    """
    _insist_on_one(flags, has_paths=bool(paths), is_narrowed=older_than is not None or larger_than is not None)
    cache = open_registry()
    here = _checkout_here(cache)
    meant = _meant_all(cache, paths, timeout)
    choice = Choice(
        orphan=flags["orphan"],
        everything=flags["everything"],
        current=_known(here) if flags["current"] else None,
        paths=tuple(meant.get(path, path) for path in paths),
        untracked=flags["untracked"],
        older_than=older_than,
        larger_than=larger_than,
        include_unreachable=flags["include_unreachable"],
        force=flags["force"],
    )
    checkouts = [path for path in meant.values() if os.path.lexists(os.path.join(path, NAME))]
    also = list(dict.fromkeys([*([here] if here is not None else []), *checkouts]))
    prune = Prune(cache, here, timeout, also, is_quiet=flags["as_json"])
    if choice.is_empty:
        return prune.show_choices()
    found = prune.plans(choice)[0]
    if not flags["as_json"]:
        _show_plan(found)
    if flags["dry_run"]:
        done = None
    elif found.targets and not flags["yes"] and not _is_wanted(found):
        warn("nothing was deleted")
        return 1
    else:
        done = prune.execute(found)
    if flags["as_json"]:
        emit_json(_document(found, done))
    elif done is not None:
        _show_report(done)
    is_complete = not found.refusals and (done is None or done.is_complete)
    return 0 if is_complete else 1


@dataclass(frozen=True)
class Prune:
    """How it is looked and acted: at which registry, from which checkout, with which others, and who watches."""

    cache: Cache
    here: str | None
    timeout: float
    also: list[str]
    is_quiet: bool

    def plans(self, *choices: Choice) -> list[Plan]:
        """Return what choices come to."""
        with progress("measuring", is_shown=not self.is_quiet) as measuring:
            return plans(self.cache, choices, timeout=self.timeout, also=self.also, progress=measuring)

    def execute(self, planned: Plan) -> Report:
        """Let go what was planned."""
        with progress("removing", is_shown=not self.is_quiet) as removing:
            return execute(self.cache, planned, timeout=self.timeout, also=self.also, progress=removing)

    def show_choices(self) -> int:
        """Show what each choice would free."""
        choices = {
            "--orphan": Choice(orphan=True),
            "--all": Choice(everything=True),
            "--untracked": Choice(untracked=True),
        }
        if self.here is not None:
            choices["--current"] = Choice(current=self.here)
        found = dict(zip(choices, self.plans(*choices.values()), strict=True))
        if self.is_quiet:
            emit_json({name.removeprefix("--"): _document(plan, None) for name, plan in found.items()})
            return 0
        rows = [(name, str(len(plan.targets)), shown_size(plan.freed)) for name, plan in found.items()]
        table(("CHOICE", "ENVIRONMENTS", "FREES"), rows)
        say("nothing was deleted; see what would go: prime-uve prune --orphan --dry-run")
        return 0


def _insist_on_one(flags: dict[str, bool], *, has_paths: bool, is_narrowed: bool) -> None:
    """Refuse choices that contradict each other, and what chooses nothing.

    Raises:
        click.UsageError: these.
    """
    named = {
        "--orphan": flags["orphan"],
        "--all": flags["everything"],
        "--current": flags["current"],
        "PATH": has_paths,
    }
    chosen = [name for name, is_chosen in named.items() if is_chosen]
    if flags["current"] and flags["untracked"]:
        chosen.append("--untracked")
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} are different choices; give one of them")
    if not (chosen or flags["untracked"] or is_narrowed):
        for name in ("include_unreachable", "force"):
            if flags[name]:
                option = f"--{name.replace('_', '-')}"
                raise click.UsageError(f"{option} chooses nothing; add --orphan, --all, --current or a PATH")


def _checkout_here(cache: Cache) -> str | None:
    """Return the checkout of the working directory; one that has moved here claims what is registered elsewhere."""
    here = os.path.realpath(working_directory())
    if here in cache.rows():
        return here
    try:
        return find_env_root(here)
    except ProjectError:
        return None


def _known(here: str | None) -> str:
    if here is None:
        raise ProjectError(f"there is no {NAME} here or above; go to the checkout that you mean: cd")
    return here


def _meant_all(cache: Cache, paths: Iterable[str], timeout: float) -> dict[str, str]:
    """Return which checkouts or environments the paths mean; what does not answer is missing."""
    rows, folders = cache.rows(), bases()
    return Rounds(timeout).ask({path: partial(_meant, rows, folders, path) for path in paths})


def _meant(rows: Mapping[str, object], folders: Iterable[str], path: str) -> str:
    """Return the environment or the checkout that a path means: itself, or the checkout that it lies in."""
    if path in rows or not os.path.isdir(path) or any(_is_at(path, folder) for folder in folders):
        return path
    try:
        real = os.path.realpath(path)
        root = real if real in rows else find_env_root(real)
    except PrimeUveError:
        return path
    return root if root is not None and _is_at(real, root) else path


def _is_at(path: str, folder: str) -> bool:
    return os.path.realpath(path) == os.path.realpath(folder) or is_inside(path, folder)


def _is_wanted(found: Plan) -> bool:
    """Ask, and return the answer.

    Raises:
        RefusalError: there is nobody to ask.
    """
    what = f"{_things(found.targets)}, {shown_size(found.freed)}"
    return is_confirmed(
        f"Delete {what}?",
        otherwise=f"this would delete {what}, and there is nobody to ask; if that is right, add --yes",
    )


def _show_plan(found: Plan) -> None:
    if found.targets:
        rows = [
            (
                each.environment.path,
                " ".join(each.owners),
                each.why,
                shown_day(each.environment.last_used),
                _frees(each),
            )
            for each in found.targets
        ]
        table(("ENVIRONMENT", "OWNER", "WHY", "LAST USED", "FREES"), rows)
        say(f"together: {_things(found.targets)}, {shown_size(found.freed)}")
    for refusal in found.refusals:
        say(str(refusal))
    if found.leftovers:
        say(f"in the trash, from an earlier prune: {_count(len(found.leftovers), 'folder')}")
    if not (found.targets or found.refusals):
        say("there is nothing to prune")


def _frees(target: Target) -> str:
    is_partly_unseen = target.measurement is not None and target.measurement.unseen
    return f"{'at least ' if is_partly_unseen else ''}{shown_size(target.freed)}" if target.is_there else "mapping"


def _show_report(done: Report) -> None:
    for refusal in done.refusals:
        warn(str(refusal))
    for left in done.left:
        warn(f"{left.path!r} cannot be removed entirely: {left.why}; mend that, and prune again")
    if done.removed or done.swept:
        swept = f"; from the trash: {_count(done.swept, 'folder')}" if done.swept else ""
        say(f"deleted {_things(done.removed)}, {shown_size(done.freed)}{swept}")


def _things(targets: Sequence[Target]) -> str:
    """Count environments, and beside them the mappings that have none any more."""
    made = sum(target.is_there for target in targets)
    mappings = len(targets) - made
    counts = [_count(made, "environment")] if made or not mappings else []
    counts += [_count(mappings, "mapping")] if mappings else []
    return " and ".join(counts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _document(found: Plan, done: Report | None) -> dict[str, object]:
    """Return what programs read; `docs/pruning.md` explains the keys."""
    done_refusals = done.refusals if done is not None else []
    return {
        "dry_run": done is None,
        "targets": [_target(each) for each in found.targets],
        "refusals": [_refusal(each) for each in (*found.refusals, *done_refusals)],
        "freed": found.freed if done is None else done.freed,
        "removed": [each.environment.path for each in done.removed] if done is not None else [],
        "left": [{"path": each.path, "why": each.why} for each in done.left] if done is not None else [],
        "leftovers": list(found.leftovers),
        "swept": done.swept if done is not None else 0,
    }


def _target(target: Target) -> dict[str, object]:
    return {
        "path": target.environment.path,
        "exists": target.is_there,
        "owners": target.owners,
        "mappings": target.mappings,
        "why": target.why,
        "last_used": timestamp(target.environment.last_used),
        "size": target.measurement.usage.size if target.measurement is not None else 0,
        "freed": target.freed,
    }


def _refusal(refusal: Refusal) -> dict[str, object]:
    return {
        "path": refusal.path,
        "owners": refusal.owners,
        "why": refusal.why,
        "remedy": refusal.remedy,
        "last_used": timestamp(refusal.last_used),
    }
