"""What may be pruned: the rules as tables, over inventories that are made up."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from prime_uve.core.inventory import Environment, Inventory
from prime_uve.core.inventory.ownership import Checkout, Claim, Source
from prime_uve.core.paths import TRASH
from prime_uve.core.removal.pruning import Choice, Plan, Target, choose, is_strict
from prime_uve.core.usage import Links, Measurement
from prime_uve.core.validation import ValidationResult
from prime_uve.core.validation.presence import Presence

BASE = "/base"
PATH = "/base/demo_1"
NOW = 1_000_000_000.0
DAY = 86_400.0

ORPHAN = Choice(orphan=True)
ALL = Choice(everything=True)
UNTRACKED = Choice(untracked=True)
BY_PATH = Choice(paths=(PATH,))
BY_CHECKOUT = Choice(paths=("/a",))
CURRENT = Choice(current="/a")


def by(
    name: str, claim: Claim, source: Source = Source.REGISTRY, *, kept: str | None = None, issue: str = ""
) -> Checkout:
    mapping = {"venv_path": PATH, **({} if kept is None else {"kept": {"reason": kept}})}
    result = ValidationResult("error", [issue]) if issue else ValidationResult("valid")
    return Checkout(f"/{name}", None if source is Source.MARKER else mapping, result, claim, source)


A = by("a", Claim.LIVING)
B = by("b", Claim.LIVING)
GONE = by("a", Claim.GONE)
RELEASED = by("a", Claim.RELEASED)
FAR = by("a", Claim.UNREACHABLE, issue="'/a' is out of reach")
BROKEN = by("a", Claim.UNREADABLE, issue="'/a/.env.uve' cannot be read")
SOUND = Environment(PATH, BASE, Presence.HERE, is_environment=True)


def environment(*checkouts: Checkout) -> Environment:
    owner = next((each.project for each in checkouts if each.source is Source.MARKER), None)
    return replace(SOUND, checkouts=checkouts, owner=owner)


def decided(found: Environment, choice: Choice) -> Plan:
    return choose(Inventory((BASE,), (found,)), choice, now=NOW)


@dataclass(frozen=True)
class Row:
    """Who claims the environment, and by which choices it goes; the others leave it, or refuse it."""

    checkouts: tuple[Checkout, ...]
    goes: tuple[Choice, ...] = ()
    refused: tuple[Choice, ...] = ()


CHOICES = {
    "orphan": ORPHAN, "all": ALL, "untracked": UNTRACKED, "path": BY_PATH, "checkout": BY_CHECKOUT, "current": CURRENT,
}  # fmt: skip
ROWS = {
    "nobody": Row((), (UNTRACKED,), (BY_PATH,)),
    "one that lives": Row((A,), (ALL, BY_PATH, BY_CHECKOUT, CURRENT)),
    "two that live": Row((A, B), (ALL,), (BY_PATH, BY_CHECKOUT, CURRENT)),
    "one that is gone": Row((GONE,), (ORPHAN, ALL, BY_PATH, BY_CHECKOUT, CURRENT)),
    "one that is gone and one that lives": Row((GONE, B), (ALL, BY_PATH), (BY_CHECKOUT, CURRENT)),
    "one that let it go": Row((RELEASED,), (ORPHAN, ALL, BY_PATH, BY_CHECKOUT, CURRENT)),
    "one that is out of reach": Row((FAR,), (BY_PATH, BY_CHECKOUT), (ORPHAN, ALL, CURRENT)),
    "one that cannot be read": Row((BROKEN,), (BY_PATH, BY_CHECKOUT), (ALL, CURRENT)),
    "one that is out of reach and one that is gone": Row(
        (by("b", Claim.UNREACHABLE), GONE), (BY_PATH,), (ORPHAN, ALL, BY_CHECKOUT, CURRENT)
    ),
    "one that is out of reach and one that lives": Row(
        (FAR, B), (), (ALL, BY_PATH, BY_CHECKOUT, CURRENT)
    ),
    "a marker of one that lives": Row((by("a", Claim.LIVING, Source.MARKER),), (ALL, BY_PATH, BY_CHECKOUT, CURRENT)),
    "a marker of one that let it go": Row((by("a", Claim.RELEASED, Source.MARKER),), (ORPHAN, ALL, BY_PATH)),
    "an env file of one that is registered": Row(
        (by("a", Claim.LIVING, Source.ENV_FILE),), (ALL, BY_PATH, BY_CHECKOUT, CURRENT)
    ),
    "an env file of one that is not": Row(
        (replace(by("a", Claim.LIVING, Source.ENV_FILE), mapping=None),), (), (UNTRACKED, BY_PATH, BY_CHECKOUT, CURRENT)
    ),
    "a link from elsewhere": Row((by("a", Claim.LIVING, Source.ALIAS),), (ALL, BY_PATH)),
    "a checkout that lies in it": Row((by("a", Claim.LIVING, Source.INSIDE),), (), (UNTRACKED, BY_PATH)),
    "a checkout that lies in what was another's": Row(
        (by("b", Claim.LIVING, Source.INSIDE), GONE), (), (ALL, BY_PATH, BY_CHECKOUT, CURRENT)
    ),
    "a checkout that lay in it and is gone, too": Row(
        (by("b", Claim.GONE, Source.INSIDE), GONE), (ORPHAN, ALL, BY_PATH, BY_CHECKOUT, CURRENT)
    ),
    "one that keeps it": Row((by("a", Claim.LIVING, kept="the paper"),), (), (ALL, BY_PATH, BY_CHECKOUT, CURRENT)),
    "one that kept it and is gone": Row(
        (by("a", Claim.GONE, kept=""),), (), (ORPHAN, ALL, BY_PATH, BY_CHECKOUT, CURRENT)
    ),
}  # fmt: skip


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("who", ROWS)
def test_what_goes_depends_on_who_claims_it_and_what_is_chosen(who: str, choice: str) -> None:
    row, chosen = ROWS[who], CHOICES[choice]
    plan = decided(environment(*row.checkouts), chosen)
    refused = [each for each in plan.refusals if each.path == PATH]
    assert (len(plan.targets), len(refused)) == (chosen in row.goes, chosen in row.refused)
    assert all(each.why and each.remedy for each in refused)
    assert all(each.why for each in plan.targets)


@pytest.mark.parametrize(
    ("checkouts", "choice", "goes"),
    [
        pytest.param((FAR,), replace(ORPHAN, include_unreachable=True), True, id="an orphan out of reach"),
        pytest.param((FAR,), replace(ALL, include_unreachable=True), True, id="all out of reach"),
        pytest.param((FAR,), replace(CURRENT, include_unreachable=True), True, id="the current one"),
        pytest.param((FAR, B), replace(ORPHAN, include_unreachable=True), False, id="one lives, for orphans"),
        pytest.param((FAR, B), replace(BY_PATH, include_unreachable=True), True, id="one lives, by path"),
        pytest.param((BROKEN,), replace(ORPHAN, include_unreachable=True), False, id="an orphan that is broken"),
        pytest.param((BROKEN,), replace(ALL, include_unreachable=True), True, id="all that is broken"),
        pytest.param((by("a", Claim.GONE, kept=""),), replace(ORPHAN, force=True), True, id="an orphan kept, by force"),
        pytest.param(
            (by("a", Claim.LIVING, kept=""),), replace(ORPHAN, force=True), False, id="a living one, by force"
        ),
        pytest.param((A, B), replace(CURRENT, force=True), False, id="a shared one, by force"),
        pytest.param((FAR,), replace(ALL, force=True), False, id="one out of reach, by force"),
        pytest.param((), replace(BY_PATH, untracked=True), True, id="an untracked one, by its path"),
        pytest.param((), replace(ORPHAN, untracked=True), True, id="an untracked one, besides orphans"),
        pytest.param((A, B), Choice(paths=("/a", "/b")), True, id="a shared one, by all that share it"),
    ],
)
def test_a_flag_lifts_what_it_says_and_nothing_else(
    checkouts: tuple[Checkout, ...],
    choice: Choice,
    *,
    goes: bool,
) -> None:
    assert bool(decided(environment(*checkouts), choice).targets) == goes


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param({"base": None}, "does not lie right in a base", id="outside the bases"),
        pytest.param({"is_link": True}, "it is a link", id="a link"),
        pytest.param({"presence": Presence.UNKNOWN}, "cannot be looked at", id="out of reach"),
        pytest.param({"is_environment": False}, "holds no pyvenv.cfg", id="no environment"),
        pytest.param({"path": f"{BASE}/{TRASH}"}, "may be no environment", id="the trash"),
        pytest.param({"path": f"{BASE}/.."}, "may be no environment", id="what is above the base"),
    ],
)
@pytest.mark.parametrize("choice", [ORPHAN, ALL, replace(ALL, force=True, include_unreachable=True)])
def test_what_is_no_environment_in_a_base_goes_by_no_choice(facts: dict[str, Any], said: str, choice: Choice) -> None:
    plan = decided(replace(environment(GONE), **facts), choice)
    (refusal,) = plan.refusals
    assert plan.targets == ()
    assert said in refusal.why


@pytest.mark.parametrize(
    ("checkouts", "goes"),
    [
        pytest.param((GONE,), True, id="of a project that is gone"),
        pytest.param((A,), False, id="of a project that is to be synced"),
        pytest.param((RELEASED,), False, id="of a project without an env file"),
        pytest.param((FAR,), False, id="of a project that is out of reach"),
        pytest.param((GONE, B), False, id="of one that is gone and one that lives"),
    ],
)
@pytest.mark.parametrize("base", [BASE, None])
@pytest.mark.parametrize("choice", [ORPHAN, ALL])
def test_of_what_is_not_there_the_mapping_goes_if_its_project_is_gone(
    checkouts: tuple[Checkout, ...],
    base: str | None,
    choice: Choice,
    *,
    goes: bool,
) -> None:
    plan = decided(replace(environment(*checkouts), base=base, presence=Presence.GONE, is_environment=False), choice)
    assert plan.refusals == ()
    assert [(each.is_there, each.mappings, each.freed) for each in plan.targets] == [(False, ["/a"], 0)] * goes


def test_a_mapping_that_is_kept_stays_though_nothing_else_is_left() -> None:
    found = replace(environment(by("a", Claim.GONE, kept="why")), presence=Presence.GONE)
    assert decided(found, ORPHAN).targets == ()
    assert [target.mappings for target in decided(found, replace(ORPHAN, force=True)).targets] == [["/a"]]


@pytest.mark.parametrize(
    ("last_used", "goes"),
    [
        pytest.param(NOW - 91 * DAY, True, id="longer ago"),
        pytest.param(NOW - 90 * DAY, False, id="just so long ago"),
        pytest.param(NOW - DAY, False, id="yesterday"),
        pytest.param(NOW + 365 * DAY, False, id="in the future"),
        pytest.param(None, False, id="nobody knows when"),
        pytest.param(0.0, True, id="at the epoch"),
    ],
)
def test_age_narrows_what_is_chosen(last_used: float | None, *, goes: bool) -> None:
    for choice in (
        Choice(older_than=90 * DAY),
        replace(ORPHAN, older_than=90 * DAY),
        replace(ALL, older_than=90 * DAY),
    ):
        plan = decided(replace(environment(GONE), last_used=last_used), choice)
        assert (bool(plan.targets), plan.refusals) == (goes, ())


def test_a_filter_alone_means_orphans() -> None:
    for choice in (Choice(older_than=DAY), Choice(larger_than=1)):
        assert choice.means_orphans
        assert decided(replace(environment(GONE), last_used=0.0), choice).targets
        plan = decided(replace(environment(A), last_used=0.0), choice)
        assert (plan.targets, plan.refusals) == ((), ())


def test_a_filter_beside_another_choice_means_no_orphans() -> None:
    plan = decided(replace(environment(GONE), last_used=0.0), Choice(untracked=True, older_than=DAY))
    assert (plan.targets, plan.refusals) == ((), ())


def test_nothing_chosen_is_nothing_pruned() -> None:
    for choice in (Choice(), Choice(include_unreachable=True, force=True)):
        assert choice.is_empty
        plan = decided(environment(GONE), choice)
        assert (plan.targets, plan.refusals) == ((), ())


@pytest.mark.parametrize("path", ["/elsewhere", "/base", "/", f"{PATH}/lib", "/base/demo"])
def test_a_path_that_means_nothing_is_refused(path: str) -> None:
    plan = decided(environment(GONE), Choice(paths=(path,)))
    (refusal,) = plan.refusals
    assert plan.targets == ()
    assert "neither an environment in a base nor a checkout" in refusal.why
    assert str(refusal) == f"{path!r} stays: {refusal.why}; {refusal.remedy}"


def test_without_a_registry_that_was_there_nothing_untracked_goes() -> None:
    inventory = Inventory((BASE,), (SOUND,), is_lost=True)
    plan = choose(inventory, UNTRACKED, now=NOW)
    (refusal,) = plan.refusals
    assert plan.targets == ()
    assert "prime-uve doctor --rebuild" in refusal.remedy
    assert choose(replace(inventory, is_lost=False), UNTRACKED, now=NOW).targets


def test_a_target_of_which_nobody_knows_says_so() -> None:
    (target,) = decided(environment(FAR), replace(ORPHAN, include_unreachable=True)).targets
    assert "'/a' cannot be looked at" in target.why


def test_what_several_free_together_counts_the_links_between_them() -> None:
    def measured(name: str) -> Target:
        path = f"{BASE}/{name}"
        shared = {7: Links(100, total=2, seen=1)}
        return Target(replace(SOUND, path=path), "why", Measurement(path, 1, 130, 1, 0, shared))

    one, other = measured("x"), measured("y")
    assert (one.freed, other.freed) == (30, 30)
    assert Plan(ORPHAN, (one,)).freed == 30
    assert Plan(ORPHAN, (one, other)).freed == 160
    assert Plan(ORPHAN, ()).freed == 0


@pytest.mark.parametrize("name", ["", ".", "..", TRASH, "a/b", "a\0b"])
def test_a_name_that_is_no_child_of_a_base_is_not_strict(name: str) -> None:
    assert not is_strict(name)
    assert is_strict("demo_0a1b2c3d")
