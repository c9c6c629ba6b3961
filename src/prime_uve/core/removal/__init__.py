"""Deleting environments: `plan` says what would go, `execute` lets it go. The only module that deletes.

Nothing goes that is not proved unneeded at that moment. Right before each transaction everything is looked at again,
and decided again by the same rules. Within it, the rows have to be those that were decided on; each environment passes
the gate and is renamed into the trash; and their mappings go. What fails is renamed back. The slow part, the removal
of the files, comes after that, and without a lock. A kill leaves each environment whole and registered, or gone and
unregistered, or in the trash, which the next prune empties.
"""

import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from time import time

from prime_uve.core.cache import Cache
from prime_uve.core.deadline import LOOK_SECONDS, Rounds
from prime_uve.core.inventory import Inventory, take_inventory
from prime_uve.core.inventory.spelling import Places, folded
from prime_uve.core.paths import quoted
from prime_uve.core.removal.gate import NotAdmittedError
from prime_uve.core.removal.pruning import Choice, Grounds, Plan, Refusal, Target, choose, freed, refuse
from prime_uve.core.removal.transaction import Gates, Transaction, in_use, insist_on_health
from prime_uve.core.removal.trash import Trash
from prime_uve.core.usage import Measurement, measure_all
from prime_uve.errors import PrimeUveError

__all__ = ["Choice", "Left", "Plan", "Refusal", "Report", "Target", "execute", "plan", "plans"]

Progress = Callable[[str], None]

_BATCH = 100  # environments for one transaction: each keeps two descriptors


@dataclass(frozen=True, slots=True)
class Left:
    """What was to be removed for good and is still there, at least in part: its `path` in a trash, and `why`.

    `environment` is where it was, ``None`` where an earlier prune has left it.
    """

    path: str
    why: str
    environment: str | None = None


@dataclass(slots=True)
class Report:
    """What became of a plan.

    `removed` are the targets that are no longer in their place, and whose mappings are gone. Of those in `left`, too,
    not all files could be removed, which the next prune tries again. `swept` counts what earlier prunes had left in
    the trash and is gone now.
    """

    removed: list[Target] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    swept: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing was refused or left."""
        return not (self.refusals or self.left)

    @property
    def freed(self) -> int:
        """The bytes that were freed, as they were measured for the plan; what is left is not among them."""
        halves = {each.environment for each in self.left}
        return freed(each for each in self.removed if each.environment.path not in halves)


def _silent(_item: str) -> None: ...


def plan(
    cache: Cache,
    choice: Choice,
    *,
    timeout: float = LOOK_SECONDS,
    also: Collection[str] = (),
    progress: Progress = _silent,
) -> Plan:
    """Return what a choice comes to now, measured. Deletes and writes nothing.

    Args:
        cache: the registry.
        choice: what is wanted; its paths absolute.
        timeout: seconds for which places that do not answer are waited for.
        also: checkouts that may not be registered, see `prime_uve.core.inventory.take_inventory`.
        progress: called with each environment that is measured.

    Raises:
        CacheError: the registry cannot be read.
        RefusalError: the registry is or was damaged, and nobody has looked at that yet.
    """
    return plans(cache, [choice], timeout=timeout, also=also, progress=progress)[0]


def plans(
    cache: Cache,
    choices: Sequence[Choice],
    *,
    timeout: float = LOOK_SECONDS,
    also: Collection[str] = (),
    progress: Progress = _silent,
) -> list[Plan]:
    """Return what several choices come to, from one look at what there is; see `plan`."""
    insist_on_health(cache)
    inventory = take_inventory(cache, timeout=timeout, also=also)
    chosen = [choose(inventory, _spelled(choice, inventory, timeout), now=time()) for choice in choices]
    bases = {each.environment.path: each.environment.base for it in chosen for each in it.targets if each.is_there}
    refused = in_use(list(bases), timeout)
    with ExitStack() as stack:
        gates = Gates(cache, stack)
        for path, base in bases.items():
            try:
                gates.gate(base or "").admit(os.path.basename(path)).release()
            except NotAdmittedError as error:
                refused.setdefault(path, error.grounds)
        leftovers = tuple(os.path.join(trash.path, name) for trash, name in _leftovers(gates, inventory.bases))
    measured = measure_all(sorted(bases.keys() - refused.keys()), timeout=timeout, progress=progress)
    return [replace(_measured(each, refused, measured), leftovers=leftovers) for each in chosen]


def _spelled(choice: Choice, inventory: Inventory, timeout: float) -> Choice:
    """Give the paths of a choice the spelling that they have in the inventory: an environment's, else a checkout's."""
    known = {folded(environment.path): environment.path for environment in inventory.environments}
    places = Places(inventory.bases)

    def spell(path: str) -> str:
        for folder in {*inventory.bases, *places.unresolved([path])}:
            places.resolve(folder)
        return known.get(folded(places.spelled(path)[0])) or os.path.realpath(path)

    spelled = Rounds(timeout).ask({path: partial(spell, path) for path in choice.paths})
    return replace(choice, paths=tuple(dict.fromkeys(spelled.get(path, path) for path in choice.paths)))


def _measured(chosen: Plan, refused: Mapping[str, Grounds], measured: Mapping[str, Measurement]) -> Plan:
    targets, refusals = [], list(chosen.refusals)
    larger_than = chosen.choice.larger_than
    for target in chosen.targets:
        path = target.environment.path
        measurement = measured.get(path)
        if path in refused:
            refusals.append(refuse(target.environment, refused[path]))
        elif larger_than is None or (measurement is not None and measurement.usage.size > larger_than):
            targets.append(replace(target, measurement=measurement))
    return replace(chosen, targets=tuple(targets), refusals=tuple(refusals))


def execute(
    cache: Cache,
    planned: Plan,
    *,
    timeout: float = LOOK_SECONDS,
    also: Collection[str] = (),
    progress: Progress = _silent,
) -> Report:
    """Let go what was planned, as far as the same rules still allow it, and empty the trash of earlier prunes.

    Arguments are those of `plan`; `progress` is called with each environment that is dealt with.

    Raises:
        CacheError: the registry cannot be read or written, and of the plan nothing is deleted.
        RefusalError: see `plan`.
    """
    insist_on_health(cache)
    report = Report()
    with ExitStack() as stack:
        gates = Gates(cache, stack)
        _sweep(gates, planned, report)
        waiting = list(planned.targets)
        while waiting:
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            transaction = Transaction(cache, gates, planned.choice, batch)
            try:
                transaction.carry_out(timeout, also)
            except PrimeUveError as error:
                if not report.removed:
                    raise
                why = Grounds(str(error), "then prune again")
                report.refusals += [refuse(each.environment, why) for each in (*batch, *waiting)]
                break
            _finish(transaction, gates, report, progress)
    return report


def _finish(transaction: Transaction, gates: Gates, report: Report, progress: Progress) -> None:
    """Remove the files of what a transaction has renamed."""
    report.refusals += transaction.refusals
    report.removed += [target for target, _ in transaction.gone]
    for target, admitted in transaction.gone:
        progress(target.environment.path)
        if admitted is not None:
            trash = gates.trash(target.environment.base or "")
            trouble = _discard(trash, admitted.away)
            if trouble:
                report.left.append(Left(os.path.join(trash.path, admitted.away), trouble, target.environment.path))


def _leftovers(gates: Gates, bases: Iterable[str]) -> Iterator[tuple[Trash, str]]:
    for base in bases:
        with suppress(NotAdmittedError):
            trash = gates.trash(base)
            yield from ((trash, name) for name in trash.leftovers())


def _sweep(gates: Gates, planned: Plan, report: Report) -> None:
    """Empty the trash of what earlier prunes could not remove, or were killed over."""
    bases = dict.fromkeys(os.path.dirname(os.path.dirname(path)) for path in planned.leftovers)
    for trash, name in _leftovers(gates, bases):
        trouble = _discard(trash, name)
        if trouble:
            report.left.append(Left(os.path.join(trash.path, name), trouble))
        else:
            report.swept += 1


def _discard(trash: Trash, away: str) -> str:
    """Remove something from a trash for good; return why not all of it could be removed, else the empty text."""
    name, folder = trash.at(away), trash.descriptor
    mounted = trash.mounted_in(away)  # since it was let in, or since it was left
    if mounted:
        return f"something is mounted at {mounted[0]!r}, unmount that first: umount {quoted(mounted[0])}"
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)
            return ""
        shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
        _open_up(name, folder)
        shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
        shutil.rmtree(name, dir_fd=folder)  # says what is the matter, if there is something left
    except FileNotFoundError:
        return ""
    except RecursionError:
        return "its folders are nested too deeply"
    except OSError as error:
        return f"{os.fsdecode(error.filename or away)!r}: {error.strerror or error}"
    return ""


def _open_up(name: str, folder: int | None) -> None:
    """Give this account all rights to the folders in what is to be removed: a folder without them keeps its files.

    Of files that is neither needed nor harmless: they can be links to those in uv's cache.

    Raises:
        FileNotFoundError: there is nothing left.
    """
    os.chmod(name, stat.S_IRWXU, dir_fd=folder)
    if folder is None:
        for place, folders, files in os.walk(name):
            for each in (*folders, *files):  # where there are no descriptors, a file itself can be read-only
                with suppress(OSError):
                    os.chmod(os.path.join(place, each), stat.S_IRWXU)
        return
    for _, folders, _, above in os.fwalk(name, dir_fd=folder):
        for each in folders:
            with suppress(OSError):
                if stat.S_ISDIR(os.stat(each, dir_fd=above, follow_symlinks=False).st_mode):
                    os.chmod(each, stat.S_IRWXU, dir_fd=above)
