"""A writer that is killed or interrupted, anywhere: what was acknowledged is there, and the next write works."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from tests.core import writers
from tests.faults import budget
from tests.faults.injection import MEMORY, THREADS, Strace, Subject, landmarks
from tests.faults.scenes import LASTING, WRITES, Case, Scene

Setting = Callable[[Case], Scene]

cases = pytest.mark.parametrize("case", WRITES.values(), ids=WRITES.keys())


@cases
def test_a_kill_at_each_line_loses_nothing(subject: Subject, scene: Setting, case: Case) -> None:
    set_up = scene(case)
    lines = subject.act(set_up, "line", filelock=budget.IS_LONG).counted
    effects = set()
    for nth in [*budget.sample(f"kill {case.act}", range(1, lines), 25), lines]:
        set_up.reset()
        answer = subject.act(set_up, "line", what="kill", nth=nth, filelock=budget.IS_LONG)
        assert answer.outcome == "killed", (nth, answer)
        effects.add(set_up.check(f"line {nth}", acknowledged=False))
    assert lines > 100
    assert effects == {False, True}


@cases
def test_a_kill_at_each_call_of_the_library_loses_nothing(subject: Subject, scene: Setting, case: Case) -> None:
    set_up = scene(case)
    calls = subject.act(set_up, "call").names
    effects = set()
    for index in landmarks(calls):
        set_up.reset()
        answer = subject.act(set_up, "call", what="kill", nth=index + 1)
        assert answer.outcome == "killed", (index, answer)
        effects.add(set_up.check(f"call {index}, {calls[index]}", acknowledged=False))
    assert len(calls) > 20
    assert effects == {False, True}


@cases
def test_a_kill_at_each_system_call_loses_nothing(subject: Subject, strace: Strace, scene: Setting, case: Case) -> None:
    set_up = scene(case)
    calls = strace.calls(subject, set_up)
    effects = set()
    for call in [calls[index] for index in landmarks([call.name for call in calls])]:
        set_up.reset()
        answer = subject.act_under(strace, set_up, *call.killed())
        # What the interpreter does for itself (memory, threads) it does not do at the same points each time.
        assert answer.outcome == "killed" or call.name in MEMORY | THREADS, (call, answer)
        effects.add(set_up.check(call, acknowledged=answer.is_done))
    assert len(calls) > 50
    assert effects == {False, True}


@cases
def test_an_interrupt_at_each_line_loses_nothing(subject: Subject, scene: Setting, case: Case) -> None:
    set_up = scene(case)
    lines = subject.act(set_up, "line", filelock=budget.IS_LONG).counted
    for nth in budget.sample(f"interrupt {case.act}", range(1, lines + 1), 25):
        set_up.reset()
        answer = subject.act(set_up, "line", what="interrupt", nth=nth, filelock=budget.IS_LONG)
        # In a finalizer of filelock's, Python goes on after an interrupt; by then all is done.
        assert answer.outcome == "KeyboardInterrupt" or (answer.is_done and budget.IS_LONG), (nth, answer)
        left = [path.name for path in set_up.place.registry.glob("*.tmp")]
        assert not left, (nth, left)
        set_up.check(f"line {nth}", acknowledged=answer.is_done and not case.stamps)


ADD_FOR_EVER = """
import itertools, sys
from pathlib import Path
from prime_uve.core.cache import Cache
cache = Cache(Path(sys.argv[1]))
for number in itertools.count():
    cache.add_mapping(Path(f"/p/{number}"), "/v/x", "x", "01234567")
    print(number, flush=True)
"""


@pytest.mark.parametrize("attempt", range(200 if budget.IS_LONG else 6))
def test_a_kill_at_any_time_loses_nothing_that_was_acknowledged(tmp_path: Path, attempt: int) -> None:
    path = tmp_path / "registry" / "cache.json"
    with subprocess.Popen(
        [sys.executable, "-c", ADD_FOR_EVER, str(path)],
        env=os.environ | writers.ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        moment = random.Random(f"{budget.SEED} {attempt}").randrange(1, 60)  # noqa: S311  # no secret
        acknowledged = [process.stdout.readline() for _ in range(moment)]
        process.kill()
        acknowledged += process.stdout.readlines()
    rows = list(Cache(path).list_all())
    assert rows == [f"/p/{number}" for number in range(len(rows))]
    assert len(rows) - len(acknowledged) in {0, 1}
    Cache(path, lock_timeout=0).clear()
    assert {entry.name for entry in path.parent.iterdir()} == LASTING


ALARMS = """
import signal, sys
from pathlib import Path
from prime_uve.core.cache import Cache
rings = []
signal.signal(signal.SIGALRM, lambda *_: rings.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
cache = Cache(Path(sys.argv[1]))
for number in range(50):
    cache.add_mapping(Path(f"/p/{number}"), "/v/x", "x", "01234567")
    assert len(cache.list_all()) == number + 1
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(rings))
"""


def test_signals_in_every_system_call_disturb_nobody(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALARMS, str(tmp_path / "cache.json")],
        env=os.environ | writers.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50
