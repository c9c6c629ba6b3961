"""Whose environment is it? The table of registering, with real checkouts, and with many at the same time."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from prime_uve.core import marker
from prime_uve.core.cache import Cache, CacheError
from prime_uve.core.registration import Outcome, Registration, decide, preview, register
from prime_uve.core.validation.presence import Presence
from tests.core import checkouts, writers
from tests.core.checkouts import ENVIRONMENT, LONG_AGO, add

OTHER = "${HOME}/prime-uve/venvs/other_9f8e7d6c"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "registry" / "cache.json")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return checkouts.make(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Return a checkout in another folder, so that it can be out of reach without the first."""
    return checkouts.make(tmp_path / "share" / "there")


def owners(cache: Cache) -> dict[str, str]:
    return {project: row["venv_path"] for project, row in cache.list_all().items()}


def state(path: Path) -> tuple[int, int, bytes]:
    return path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()


# The table, row by row


@pytest.mark.parametrize("accept", [False, True], ids=["at commit", "accepted"])
@pytest.mark.parametrize(
    "venv_path",
    [ENVIRONMENT, ENVIRONMENT.replace("${HOME}", "{home}"), ENVIRONMENT.replace("${HOME}", "$HOME")],
    ids=["as registered", "spelled out", "without braces"],
)
def test_the_same_mapping_is_not_written(cache: Cache, here: Path, home: Path, venv_path: str, *, accept: bool) -> None:
    add(cache, here)
    before = state(cache.path)
    registration = register(cache, here, venv_path.replace("{home}", str(home)), accept=accept)
    assert registration == Registration(Outcome.UNCHANGED, str(here), ENVIRONMENT, ENVIRONMENT)
    assert registration.message == ""
    assert state(cache.path) == before


@pytest.mark.parametrize("accept", [False, True], ids=["at commit", "accepted"])
def test_a_row_that_spells_out_the_home_is_the_same_mapping(
    cache: Cache, here: Path, home: Path, *, accept: bool
) -> None:
    cache.edit(lambda rows: rows.update({str(here): {"venv_path": f"{home}/prime-uve//venvs/demo_0a1b2c3d"}}))
    before = state(cache.path)
    assert register(cache, here, ENVIRONMENT, accept=accept).outcome is Outcome.UNCHANGED
    assert state(cache.path) == before


@pytest.mark.parametrize("accept", [False, True], ids=["at commit", "accepted"])
def test_an_environment_that_nobody_uses_is_added(cache: Cache, here: Path, there: Path, *, accept: bool) -> None:
    add(cache, there, OTHER)
    (here / "pyproject.toml").write_text('[project]\nname = "Some Name"\n')
    registration = register(cache, here, ENVIRONMENT, accept=accept)
    assert registration == Registration(Outcome.ADDED, str(here), ENVIRONMENT)
    assert registration.message == f"registered '{here}' with '{ENVIRONMENT}'"
    row = cache.get_mapping(here)
    assert row is not None
    assert row["project_name"] == "some-name"
    assert len(row["path_hash"]) == 8
    assert row["parent_inode"] == here.parent.stat().st_ino
    assert owners(cache) == {str(there): OTHER, str(here): ENVIRONMENT}


@pytest.mark.parametrize("accept", [False, True], ids=["at commit", "accepted"])
def test_a_checkout_that_was_moved_takes_its_mapping_along(
    cache: Cache, here: Path, tmp_path: Path, *, accept: bool
) -> None:
    add(cache, here)
    cache.edit(lambda rows: rows[str(here)].update(note="kept"))
    moved = here.rename(tmp_path / "moved")
    registration = register(cache, moved, ENVIRONMENT, accept=accept)
    assert registration == Registration(Outcome.MOVED, str(moved), ENVIRONMENT, None, str(here))
    assert registration.message.startswith(f"'{here}' has moved to '{moved}'")
    assert owners(cache) == {str(moved): ENVIRONMENT}
    row = cache.get_mapping(moved)
    assert row is not None
    assert row["created_at"] == LONG_AGO
    assert row["note"] == "kept"
    assert row["path_hash"] != "0a1b2c3d"


def test_a_checkout_that_left_a_link_behind_has_moved(cache: Cache, here: Path, tmp_path: Path) -> None:
    add(cache, here)
    moved = here.rename(tmp_path / "moved")
    here.symlink_to(moved)
    for project in (here, moved):
        assert preview(cache, project, ENVIRONMENT).outcome is Outcome.MOVED
    assert register(cache, here, ENVIRONMENT).outcome is Outcome.MOVED
    assert owners(cache) == {str(moved): ENVIRONMENT}
    assert cache.validate_mapping(here).status == cache.validate_mapping(moved).status


@pytest.mark.parametrize("accept", [False, True], ids=["at commit", "accepted"])
def test_the_environment_of_a_living_checkout_would_be_shared(
    cache: Cache, here: Path, there: Path, *, accept: bool
) -> None:
    add(cache, there)
    before = state(cache.path)
    registration = register(cache, here, ENVIRONMENT, accept=accept)
    assert registration == Registration(Outcome.SHARED, str(here), ENVIRONMENT, None, str(there))
    assert f"'{ENVIRONMENT}' belongs to '{there}'" in registration.message
    assert f".env.uve.local: prime-uve init '{here}'" in registration.message
    assert state(cache.path) == before


@pytest.mark.parametrize("accept", [False, True], ids=["at commit", "accepted"])
@pytest.mark.parametrize("kind", ["the parent is gone", "the parent is another", "nothing is mounted", "hidden"])
def test_the_environment_of_a_checkout_out_of_reach_would_be_shared(
    cache: Cache, here: Path, there: Path, kind: str, *, accept: bool
) -> None:
    add(cache, there)
    match kind:
        case "nothing is mounted":
            cache.edit(lambda rows: rows[str(there)].update(mount=str(here)))
            shutil.rmtree(there)
        case "hidden":
            shutil.rmtree(there)
            there.symlink_to(there)
        case _:
            there.parent.rename(here / "kept")
            if kind == "the parent is another":
                there.parent.mkdir()
    before = state(cache.path)
    assert register(cache, here, ENVIRONMENT, accept=accept).outcome is Outcome.SHARED
    assert state(cache.path) == before


def test_another_environment_at_commit_is_a_mismatch(cache: Cache, here: Path, home: Path) -> None:
    add(cache, here)
    before = state(cache.path)
    registration = register(cache, here, OTHER)
    assert registration == Registration(Outcome.MISMATCH, str(here), OTHER, ENVIRONMENT)
    for part in (
        f"the registry has '{home}/prime-uve/venvs/demo_0a1b2c3d' for '{here}'",
        f"its .env.uve names '{home}/prime-uve/venvs/other_9f8e7d6c'",
        f"prime-uve register --accept '{here}'",
        f"prime-uve init --force --venv-dir '{home}/prime-uve/venvs/demo_0a1b2c3d' '{here}'",
    ):
        assert part in registration.message
    assert state(cache.path) == before


def test_another_environment_that_is_accepted_is_an_update(cache: Cache, here: Path) -> None:
    add(cache, here)
    cache.edit(lambda rows: rows[str(here)].update(note="kept"))
    registration = register(cache, here, OTHER, accept=True)
    assert registration == Registration(Outcome.UPDATED, str(here), OTHER, ENVIRONMENT)
    assert registration.message == f"registered '{here}' with '{OTHER}'; '{ENVIRONMENT}' is now unused"
    row = cache.get_mapping(here)
    assert row is not None
    assert (row["venv_path"], row["created_at"], row["note"]) == (OTHER, LONG_AGO, "kept")


def test_what_is_accepted_but_belongs_to_a_living_checkout_would_be_shared(
    cache: Cache, here: Path, there: Path
) -> None:
    add(cache, here)
    add(cache, there, OTHER)
    before = state(cache.path)
    registration = register(cache, here, OTHER, accept=True)
    assert registration == Registration(Outcome.SHARED, str(here), OTHER, ENVIRONMENT, str(there))
    assert state(cache.path) == before


def test_what_is_accepted_and_belonged_to_a_checkout_that_is_gone_has_one_owner(
    cache: Cache, here: Path, there: Path
) -> None:
    add(cache, here)
    add(cache, there, OTHER)
    shutil.rmtree(there)
    assert register(cache, here, OTHER, accept=True).outcome is Outcome.UPDATED
    assert owners(cache) == {str(here): OTHER}


def test_of_several_that_have_it_one_that_lives_is_enough(cache: Cache, here: Path, there: Path) -> None:
    gone = checkouts.make(here.parent / "gone")
    add(cache, gone)
    add(cache, there)
    shutil.rmtree(gone)
    registration = register(cache, here, ENVIRONMENT)
    assert (registration.outcome, registration.other) == (Outcome.SHARED, str(there))
    assert set(owners(cache)) == {str(gone), str(there)}


def test_all_that_are_gone_give_it_up(cache: Cache, here: Path, there: Path, home: Path) -> None:
    for project in (there, checkouts.make(here.parent / "gone")):
        add(cache, project)
        shutil.rmtree(project)
    # Rows of other hands, which spell it out.
    cache.edit(lambda rows: rows[str(there)].update(venv_path=f"{home}/prime-uve/venvs/demo_0a1b2c3d/"))
    assert register(cache, here, ENVIRONMENT).outcome is Outcome.MOVED
    assert owners(cache) == {str(here): ENVIRONMENT}


@pytest.mark.parametrize("mine", [None, 5, [], {}, {"venv_path": 7}, {"venv_path": None, "note": 1}], ids=repr)
def test_rows_of_wrong_types_are_nobodys_and_survive(cache: Cache, here: Path, mine: object) -> None:
    broken: dict[str, Any] = {"/null": None, "/list": [ENVIRONMENT], "/row": {"venv_path": [ENVIRONMENT]}, "/nul\0": {}}
    cache.edit(lambda rows: rows.update(broken | {str(here): mine}))
    assert preview(cache, here, ENVIRONMENT).outcome is Outcome.ADDED
    assert register(cache, here, ENVIRONMENT).outcome is Outcome.ADDED
    rows = cache.edit(dict)
    row = rows.pop(str(here))
    assert row["venv_path"] == ENVIRONMENT
    assert not isinstance(mine, dict) or row.get("note") == mine.get("note")
    assert rows == broken


@pytest.mark.parametrize("other", ["/nul\0/x", "relative", "", "/" + "x" * 5000])
def test_a_row_that_no_checkout_can_have_breaks_nothing(cache: Cache, here: Path, other: str) -> None:
    cache.edit(lambda rows: rows.update({other: {"venv_path": ENVIRONMENT}}))
    assert register(cache, here, ENVIRONMENT).outcome is Outcome.SHARED
    assert owners(cache) == {other: ENVIRONMENT}


# What does not fit the table


@pytest.mark.parametrize("operation", [register, preview], ids=["register", "preview"])
@pytest.mark.parametrize(
    ("project", "error"),
    [
        pytest.param("relative", ValueError, id="relative"),
        pytest.param("/nul\0", ValueError, id="a NUL"),
        pytest.param("{folder}/loop", CacheError, id="a loop of links"),
        pytest.param("/" + "folder/" * 715, CacheError, id="too long"),
    ],
)
def test_what_can_be_no_checkout_is_refused(
    cache: Cache, tmp_path: Path, operation: Callable[..., Registration], project: str, error: type[Exception]
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(error):
        operation(cache, Path(project.replace("{folder}", str(tmp_path))), ENVIRONMENT)
    assert not cache.path.exists()


@pytest.mark.parametrize("operation", [register, preview], ids=["register", "preview"])
def test_a_registry_that_cannot_be_read_is_an_error(
    cache: Cache, here: Path, operation: Callable[..., Registration]
) -> None:
    cache.path.mkdir(parents=True)
    with pytest.raises(CacheError, match="could not read"):
        operation(cache, here, ENVIRONMENT)


@pytest.mark.parametrize(
    "case",
    [
        *itertools.product(
            (None, ENVIRONMENT, OTHER), (None, ENVIRONMENT, OTHER), ("lives", "gone"), ("commit", "accept")
        )
    ],
    ids=lambda case: ", ".join(map(str, case)),
)
def test_a_preview_writes_nothing_and_comes_true(
    cache: Cache, here: Path, there: Path, case: tuple[str | None, str | None, str, str]
) -> None:
    for project, venv_path in ((here, case[0]), (there, case[1])):
        if venv_path:
            add(cache, project, venv_path)
    if case[2] == "gone":
        shutil.rmtree(there)
    before = state(cache.path) if cache.path.exists() else None
    foreseen = preview(cache, here, ENVIRONMENT, accept=case[3] == "accept")
    assert (state(cache.path) if cache.path.exists() else None) == before
    assert register(cache, here, ENVIRONMENT, accept=case[3] == "accept") == foreseen


# The decision by itself

H, G, U = Presence.HERE, Presence.GONE, Presence.UNKNOWN
E, F = "${HOME}/e", "${HOME}/f"


@pytest.mark.parametrize(
    ("previous", "claims", "at_commit", "accepted"),
    [
        pytest.param(None, {}, "added", "added", id="new"),
        pytest.param(E, {}, "unchanged", "unchanged", id="the same"),
        pytest.param(E, {"/o": H}, "unchanged", "unchanged", id="the same, which another has as well"),
        pytest.param(F, {}, "mismatch", "updated", id="changed"),
        pytest.param(F, {"/o": H}, "mismatch", "shared /o", id="changed to what another has"),
        pytest.param(F, {"/o": U}, "mismatch", "shared /o", id="changed to what one out of reach has"),
        pytest.param(F, {"/o": G}, "mismatch", "updated", id="changed to what one that is gone had"),
        pytest.param(None, {"/o": H}, "shared /o", "shared /o", id="new, another has it"),
        pytest.param(None, {"/o": U}, "shared /o", "shared /o", id="new, one out of reach has it"),
        pytest.param(None, {"/o": G}, "moved /o", "moved /o", id="new, one that is gone had it"),
        pytest.param(None, {"/a": G, "/o": G}, "moved /a", "moved /a", id="new, two that are gone had it"),
        pytest.param(None, {"/a": G, "/o": U}, "shared /o", "shared /o", id="new, one of two may live"),
        pytest.param(None, {"/a": G, "/o": H}, "shared /o", "shared /o", id="new, one of two lives"),
        pytest.param(5, {}, "added", "added", id="nothing usable before"),
        pytest.param("", {}, "mismatch", "updated", id="an empty path before"),
    ],
)
def test_the_decision_follows_the_table(
    previous: object, claims: Mapping[str, Presence], at_commit: str, accepted: str
) -> None:
    mapping = None if previous is None else {"venv_path": previous}
    for accept, wanted in ((False, at_commit), (True, accepted)):
        decision = decide("/p", E, mapping, claims, accept=accept)
        outcome, _, other = wanted.partition(" ")
        assert (decision.outcome, decision.other or "") == (outcome, other)
        assert (decision.project, decision.venv_path) == ("/p", E)
        assert bool(decision.message) == (outcome != "unchanged")


# At the same time

REGISTER = """
import json, sys
from pathlib import Path
from prime_uve.core.cache import Cache
from prime_uve.core.registration import register
cache, checkout = Cache(Path(sys.argv[1]), lock_timeout=60), Path(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
outcomes = []
for number in range(int(sys.argv[3])):
    outcomes.append(register(cache, checkout / str(number), f"${{HOME}}/prime-uve/venvs/{number}").outcome)
print(json.dumps(outcomes))
"""


@pytest.mark.parametrize("count", [2, 6], ids=["two processes", "six processes"])
def test_of_processes_that_register_one_environment_at_once_exactly_one_wins(
    cache: Cache, tmp_path: Path, count: int
) -> None:
    rounds = 12
    for who in range(count):
        for number in range(rounds):
            checkouts.make(tmp_path / str(who) / str(number), f"${{HOME}}/prime-uve/venvs/{number}")
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", REGISTER, str(cache.path), str(tmp_path / str(who)), str(rounds)],
                    env=os.environ | writers.ENVIRONMENT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for who in range(count)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        outcomes = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    for number in range(rounds):
        assert Counter(each[number] for each in outcomes) == {"added": 1, "shared": count - 1}
    assert sorted(Counter(owners(cache).values()).items()) == sorted(
        (f"${{HOME}}/prime-uve/venvs/{number}", 1) for number in range(rounds)
    )


NAMES = st.sampled_from("abc")
PLACES = st.sampled_from(["x", "y"])


class Checkouts(RuleBasedStateMachine):
    """Checkouts that come, go, move and name environments; what the registry says is held against a model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(os.path.realpath(tempfile.mkdtemp()))
        self.cache = Cache(self.folder / "registry" / "cache.json")
        self.owned: dict[str, str] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def living(self) -> list[str]:
        return sorted(entry.name for entry in self.folder.iterdir() if entry.name in {"a", "b", "c"})

    @rule(name=NAMES)
    def make(self, name: str) -> None:
        (self.folder / name).mkdir(exist_ok=True)

    @precondition(lambda self: bool(self.living()))
    @rule(name=NAMES, place=PLACES, accept=st.booleans())
    def register(self, name: str, place: str, *, accept: bool) -> None:
        if name not in self.living():
            return
        before = dict(self.owned)
        outcome = register(self.cache, self.folder / name, f"/environments/{place}", accept=accept).outcome
        others = [other for other in before if other != name and before[other] == place]
        if before.get(name) == place:
            assert outcome is Outcome.UNCHANGED
        elif name in before and not accept:
            assert outcome is Outcome.MISMATCH
        elif set(others) & set(self.living()):
            assert outcome is Outcome.SHARED
        else:
            assert outcome is (Outcome.UPDATED if name in before else Outcome.MOVED if others else Outcome.ADDED)
            self.owned = {other: theirs for other, theirs in before.items() if other not in others} | {name: place}

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)

    @rule(name=NAMES, to=NAMES)
    def move(self, name: str, to: str) -> None:
        if name in self.living() and to not in self.living():
            (self.folder / name).rename(self.folder / to)

    @rule(name=NAMES)
    def unregister(self, name: str) -> None:
        assert self.cache.remove_mapping(self.folder / name) == (name in self.owned)
        self.owned.pop(name, None)

    @invariant()
    def no_environment_has_two_owners(self) -> None:
        rows = self.cache.list_all()
        assert {os.path.basename(project): row["venv_path"][-1] for project, row in rows.items()} == self.owned
        assert len(set(self.owned.values())) == len(self.owned)


TestNeverTwoOwners = Checkouts.TestCase
TestNeverTwoOwners.settings = settings(max_examples=40, stateful_step_count=30)


def test_a_lost_registry_does_not_make_the_environment_of_a_living_checkout_free(home: Path, tmp_path: Path) -> None:
    venv = home / "prime-uve/venvs/theirs_1"
    venv.mkdir(parents=True)
    (venv / "pyvenv.cfg").touch()
    for name in ("theirs", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/theirs_1\n")
    cache = Cache()
    register(cache, tmp_path / "theirs", str(venv))
    cache.path.unlink()

    assert register(cache, tmp_path / "mine", str(venv)).outcome is Outcome.SHARED
    assert marker.owner(str(venv)) == str(tmp_path / "theirs")
    (tmp_path / "theirs/.env.uve").unlink()
    assert register(cache, tmp_path / "mine", str(venv)).outcome is Outcome.ADDED, "a marker alone is no claim"
