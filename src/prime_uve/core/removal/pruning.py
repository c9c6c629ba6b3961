"""What may be pruned? `choose` decides on an inventory, and is pure; nothing here touches a disk.

Everything that a choice means is either a target or a refusal; a refusal says why, and what would change it.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from prime_uve.core.inventory import Environment, Inventory
from prime_uve.core.inventory.ownership import PROTECTING, Checkout, Claim, Source
from prime_uve.core.paths import BASES_VARIABLE, TRASH, quoted
from prime_uve.core.usage import Measurement, combine
from prime_uve.core.validation.presence import Presence

PRUNE = "prime-uve prune"
LEFT_OR_LOST = frozenset((Claim.RELEASED, Claim.GONE, Claim.UNREACHABLE))  # an orphan's, if it is not unreachable
UNKNOWN = frozenset((Claim.UNREADABLE, Claim.UNREACHABLE))


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person wants pruned.

    `orphan`: what nobody claims any more. `everything`: all that is not kept, nor claimed by what cannot be reached.
    `current`: a checkout (resolved), whose environment is meant. `paths`: checkouts (resolved), or folders of
    environments. `untracked`: what neither the registry nor a marker knows; beside `paths` it only allows that these
    are untracked. `older_than` (seconds since the last use) and `larger_than` (bytes on the disk) narrow what is
    chosen; alone they mean `orphan`. `include_unreachable` and `force` (what is kept) lift a refusal.
    """

    orphan: bool = False
    everything: bool = False
    current: str | None = None
    paths: tuple[str, ...] = ()
    untracked: bool = False
    older_than: float | None = None
    larger_than: int | None = None
    include_unreachable: bool = False
    force: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is chosen."""
        return not (self.means_orphans or self.everything or self.current or self.paths or self.untracked)

    @property
    def means_orphans(self) -> bool:
        """Whether that is chosen which nobody claims any more."""
        is_narrowed = self.older_than is not None or self.larger_than is not None
        return self.orphan or (is_narrowed and not (self.everything or self.current or self.paths or self.untracked))


@dataclass(frozen=True, slots=True)
class Target:
    """An environment that is to go, with its mappings, and `why`; if it is not there, the mappings alone.

    `measurement` is what it takes up on the disk, ``None`` where nobody has measured it.
    """

    environment: Environment
    why: str
    measurement: Measurement | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is more to delete than mappings."""
        return self.environment.presence is not Presence.GONE

    @property
    def freed(self) -> int:
        """The bytes that deleting it alone frees; the least that it can be where not all could be measured."""
        return self.measurement.usage.freed if self.measurement is not None else 0

    @property
    def owners(self) -> list[str]:
        """The checkouts that it belongs or belonged to."""
        return owners(self.environment)

    @property
    def mappings(self) -> list[str]:
        """The checkouts whose mappings go with it."""
        return [checkout.project for checkout in self.environment.registered]


class Grounds(NamedTuple):
    """Why something is refused, and what would change that."""

    why: str
    remedy: str


LOST = Grounds(
    "there is no registry that could say whose it is, but there was one",
    "build it anew: prime-uve doctor --rebuild, with the folders that hold your projects",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An environment (or the path that was given in its place) that stays, `why`, and what would change that."""

    path: str
    why: str
    remedy: str
    owners: list[str] = field(default_factory=list)
    last_used: float | None = None

    def __str__(self) -> str:
        return f"{self.path!r} stays: {self.why}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a choice comes to. `leftovers` are paths in the trash, which an earlier prune could not remove."""

    choice: Choice
    targets: tuple[Target, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    leftovers: tuple[str, ...] = ()

    @property
    def freed(self) -> int:
        """The bytes that all targets free together, which can be more than the sum of what each frees alone."""
        return freed(self.targets)


def freed(targets: Iterable[Target]) -> int:
    """Return the bytes that deleting all these frees."""
    return combine(each.measurement for each in targets if each.measurement is not None).freed


def owners(environment: Environment) -> list[str]:
    """Return the checkouts that an environment belongs or belonged to."""
    return [checkout.project for checkout in environment.checkouts]


def choose(inventory: Inventory, choice: Choice, *, now: float) -> Plan:
    """Decide what of an inventory is to go. `Choice.larger_than` is left to whoever measures.

    Args:
        inventory: what there is.
        choice: what is wanted.
        now: POSIX seconds.
    """
    targets, refusals = [], []
    for environment in inventory.environments:
        why = _reason(environment, choice)
        if why is None or not _is_old_enough(environment, choice, now):
            continue
        if environment.presence is Presence.GONE and not _is_over(environment, choice):
            continue
        grounds = LOST if inventory.is_lost and not environment.is_tracked else _grounds(environment, choice)
        if grounds is None:
            targets.append(Target(environment, why + _doubt(environment)))
        else:
            refusals.append(refuse(environment, grounds))
    refusals += _unknown_paths(inventory, choice)
    return Plan(choice, tuple(targets), tuple(refusals))


def refuse(environment: Environment, grounds: Grounds) -> Refusal:
    """Return the refusal of an environment."""
    return Refusal(environment.path, grounds.why, grounds.remedy, owners(environment), environment.last_used)


def _reason(environment: Environment, choice: Choice) -> str | None:
    """Say why an environment is chosen, ``None`` if it is not."""
    if choice.paths or choice.current is not None:
        return _named(environment, {*choice.paths, choice.current})
    if not environment.is_tracked:
        return "neither the registry nor a marker knows it" if choice.untracked else None
    if choice.everything:
        return "everything is chosen"
    is_left = all(each.claim in LEFT_OR_LOST for each in environment.checkouts)
    return _orphaned(environment) if choice.means_orphans and is_left else None


def _named(environment: Environment, names: set[str | None]) -> str | None:
    if environment.path in names:
        return "its path was given"
    projects = [each.project for each in environment.checkouts if each.project in names and _is_of(each)]
    return f"it is the environment of {projects[0]!r}" if projects else None


def _is_of(checkout: Checkout) -> bool:
    """Whether a person who names this checkout means its environment: the one that it has, or names."""
    is_marked = checkout.source is Source.MARKER and checkout.claim is not Claim.RELEASED
    return checkout.source in (Source.REGISTRY, Source.ENV_FILE) or is_marked


def _is_over(environment: Environment, choice: Choice) -> bool:
    """Whether an environment that is not there has nobody left who could make it again."""
    over = {Claim.GONE, Claim.UNREACHABLE} if choice.include_unreachable else {Claim.GONE}
    return all(each.claim in over for each in environment.checkouts)


def _doubt(environment: Environment) -> str:
    """Say for whom it may yet be, so that a person is asked about it."""
    unknown = [each.project for each in environment.checkouts if each.claim in UNKNOWN]
    return f"; {', '.join(map(repr, unknown))} cannot be looked at" if unknown else ""


def _orphaned(environment: Environment) -> str:
    gone = [each.project for each in environment.checkouts if each.claim is Claim.GONE]
    released = [each.project for each in environment.checkouts if each.claim is Claim.RELEASED]
    parts = [f"{', '.join(map(repr, gone))} is gone"] if gone else []
    parts += [f"{', '.join(map(repr, released))} does not name it any more"] if released else []
    return "; ".join(parts) or "nobody who can be looked at names it"


def _is_old_enough(environment: Environment, choice: Choice, now: float) -> bool:
    """Whether it was last used so long ago; nobody knows, or in the future, is not long ago."""
    if choice.older_than is None:
        return True
    return environment.last_used is not None and now - environment.last_used > choice.older_than


def _grounds(environment: Environment, choice: Choice) -> Grounds | None:
    """Say why an environment may not go; ``None`` if it may."""
    for rule in (_misplaced, _strange, _full, _kept, _unknown, _claimed):
        grounds = rule(environment, choice)
        if grounds is not None:
            return grounds
    return None


def _misplaced(environment: Environment, _choice: Choice) -> Grounds | None:
    """Refuse what does not lie where prime-uve deletes, whoever wants it."""
    if environment.presence is Presence.GONE:
        return None
    if environment.base is None:
        return Grounds(
            "it does not lie right in a base",
            f"what lies elsewhere is yours to remove; or list its folder in {BASES_VARIABLE}",
        )
    if environment.is_link:
        return Grounds("it is a link, and links are not followed", f"remove it: rm {quoted(environment.path)}")
    if environment.presence is not Presence.HERE:
        return Grounds("it cannot be looked at", f"see ls -ld {quoted(environment.path)}")
    return None


def _strange(environment: Environment, choice: Choice) -> Grounds | None:
    """Refuse what may be no environment, or nobody knows whose."""
    if environment.presence is Presence.GONE:
        return None
    if not (is_strict(os.path.basename(environment.path)) and environment.is_environment):
        return Grounds(
            "it holds no pyvenv.cfg that could be read, so it may be no environment",
            f"see ls -la {quoted(environment.path)}",
        )
    if not environment.is_tracked and not choice.untracked:
        return Grounds(
            "neither the registry nor a marker says whose it is",
            f"if it is yours: {PRUNE} --untracked {quoted(environment.path)}",
        )
    return None


def is_strict(name: str) -> bool:
    """Tell whether `name` can be that of an environment right in a base."""
    separators = {os.sep, os.altsep or os.sep, "\0"}
    return name not in {"", os.curdir, os.pardir, TRASH} and separators.isdisjoint(name)


def _kept(environment: Environment, choice: Choice) -> Grounds | None:
    reason = environment.kept
    if reason is None or choice.force:
        return None
    kept = next(each.project for each in environment.checkouts if each.kept is not None)
    all_the_same = f"{PRUNE} --force {quoted(environment.path)}"
    return Grounds(
        f"it is kept{reason and f': {reason}'}",
        f"let it go: prime-uve unkeep {quoted(kept)}, or prune it all the same: {all_the_same}",
    )


def _full(environment: Environment, _choice: Choice) -> Grounds | None:
    inside = [each for each in environment.checkouts if each.source is Source.INSIDE and each.claim is not Claim.GONE]
    if not inside:
        return None
    project = inside[0].project
    return Grounds(
        f"{project!r}, or the environment of that checkout, lies in it",
        f"move it out; or, if it may go with it, forget it: prime-uve unregister {quoted(project)}",
    )


def _protecting(environment: Environment, choice: Choice) -> list[Checkout]:
    """Return the checkouts for whose sake an environment stays under this choice."""
    lifted = UNKNOWN if choice.include_unreachable else frozenset()
    return [each for each in environment.checkouts if each.claim in PROTECTING - lifted]


def _is_named(environment: Environment, choice: Choice) -> bool:
    """Whether it is named by its path, or by the one checkout that claims it."""
    protecting = [each.project for each in _protecting(environment, choice)]
    return len(protecting) <= 1 and bool({environment.path, *protecting} & set(choice.paths))


def _unknown(environment: Environment, choice: Choice) -> Grounds | None:
    unknown = [each for each in environment.checkouts if each.claim in UNKNOWN]
    if not unknown or choice.include_unreachable or _is_named(environment, choice):
        return None
    issue = next(iter(unknown[0].result.issues), "")
    return Grounds(
        f"{unknown[0].project!r} cannot be looked at, and may need it{issue and f' ({issue})'}",
        "connect or mend it; if what it lies on is gone for good, or was deleted with all that was in it: "
        f"{PRUNE} --include-unreachable {quoted(environment.path)}",
    )


def _claimed(environment: Environment, choice: Choice) -> Grounds | None:
    """Refuse what others than the one that is meant claim; with all, nobody in particular is meant."""
    protecting = _protecting(environment, choice)
    others = [each.project for each in protecting if each.project not in {choice.current, *choice.paths}]
    if choice.everything or not others or (len(protecting) == 1 and _is_named(environment, choice)):
        return None
    return Grounds(
        f"{', '.join(map(repr, others))} uses it{', too' * (len(protecting) > 1)}",
        f"give each checkout its own: prime-uve init {quoted(others[0])}; or forget it: prime-uve unregister "
        f"{quoted(others[0])}",
    )


def _unknown_paths(inventory: Inventory, choice: Choice) -> Iterator[Refusal]:
    """Refuse the paths that were given and mean nothing."""
    known = {environment.path for environment in inventory.environments}
    known |= {each.project for environment in inventory.environments for each in environment.checkouts if _is_of(each)}
    for path in choice.paths if choice.current is None else (*choice.paths, choice.current):
        if path not in known:
            yield Refusal(
                path,
                "it is neither an environment in a base nor a checkout that has one",
                "see what there is: prime-uve list",
            )
