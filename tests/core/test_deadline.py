"""Looks at what may hang: what answers is in the result, what does not is left behind, and a bug is not hidden."""

import threading
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from prime_uve.core.deadline import Look, answers
from tests.core.checkouts import child, output

SOON = 0.2  # seconds; what hangs here hangs until the test is over
BUSY = 3.0  # seconds, on a machine that has other things to do


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Return an event that comes when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def prompt(key: int, place: str) -> Look[int, int]:
    return Look(key, place, lambda: key * key)


def hanging(key: int, place: str, event: threading.Event) -> Look[int, int]:
    return Look(key, place, lambda: key if event.wait() else -1)


@pytest.mark.parametrize("places", [1, 3, 300], ids=["at one place", "at three places", "each at a place of its own"])
@pytest.mark.parametrize("count", [0, 1, 300])
def test_every_look_that_ends_is_answered(count: int, places: int) -> None:
    before = threading.active_count()
    found = answers([prompt(key, f"/{key % places}") for key in range(count)])
    assert found == {key: key * key for key in range(count)}
    assert threading.active_count() == before


@pytest.mark.parametrize("count", [1, 40, 200])
def test_a_place_that_hangs_takes_no_other_along(never: threading.Event, count: int) -> None:
    hung = [hanging(-key, "/hung", never) for key in range(1, count + 1)]
    assert answers([*hung, *(prompt(key, "/well") for key in range(100))], 2 * SOON).keys() == set(range(100))


def test_looks_that_hang_do_not_hold_up_the_others_at_their_place(never: threading.Event) -> None:
    hung = [hanging(-key, "/half", never) for key in range(1, 60)]
    found = answers(
        [*hung, *(prompt(key, "/half") for key in range(100))], BUSY
    )  # it takes a thread for each that hangs
    assert found.keys() == set(range(100))


def test_a_place_that_answers_again_is_waited_for_again(never: threading.Event) -> None:
    back = threading.Event()
    looks = [hanging(key, "/back", back) for key in range(10)]
    assert answers(looks, SOON) == {}
    assert answers(looks, SOON) == {}, "asked, while the looks before still hang"
    back.set()
    assert answers([*looks, hanging(10, "/other", never)], BUSY).keys() == set(range(10))


def test_a_place_that_says_something_now_and_then_is_not_given_up() -> None:
    steps = [threading.Event() for _ in range(6)]
    moment = threading.Event()

    def step(number: int) -> int:
        if number:
            steps[number - 1].wait()
        moment.wait(0.3)
        steps[number].set()
        return number

    looks = [Look(number, "/slow", partial(step, number)) for number in range(len(steps))]
    assert answers(looks, 1.5).keys() == set(range(len(steps))), "1.8 s, but never one without a word"


def test_what_a_look_raises_keeps_its_traceback(never: threading.Event) -> None:
    def broken() -> int:
        return {1: 1}[2]

    looks = [*(prompt(key, "/") for key in range(10)), Look(10, "/", broken), hanging(11, "/hung", never)]
    with pytest.raises(KeyError) as raised:
        answers(looks)
    assert "broken" in [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]


def test_many_threads_may_ask_at_once() -> None:
    found: list[dict[int, int]] = []
    looks = [prompt(key, f"/{key % 7}") for key in range(100)]
    threads = [threading.Thread(target=lambda: found.append(answers(looks))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{key: key * key for key in range(100)}] * 16


LEFT_BEHIND = """
import os, sys
from prime_uve.core.deadline import Look, answers
source, _ = os.pipe()
hung = [Look(key, "/hung", lambda: os.read(source, 1)) for key in range(40)]
print(answers([*hung, Look("well", "/well", os.getpid)], 0.2).keys(), flush=True)
if sys.argv[1:] == ["interrupted"]:
    import signal, threading
    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
    answers([Look(key, "/other", lambda: os.read(source, 1)) for key in range(400)], 60)
"""


def test_a_program_ends_although_looks_of_it_hang(tmp_path: Path) -> None:
    assert output(child(LEFT_BEHIND, cwd=tmp_path)) == "dict_keys(['well'])\n"


def test_an_interrupt_ends_the_wait(tmp_path: Path) -> None:
    unmeasured = {"COVERAGE_PROCESS_CONFIG": None, "COVERAGE_PROCESS_START": None}
    done = child(LEFT_BEHIND, "interrupted", cwd=tmp_path, env=unmeasured)
    assert done.stderr.endswith("KeyboardInterrupt\n")
    assert done.returncode not in (0, 1)


FORKED = """
import os, warnings
from prime_uve.core.deadline import Look, answers
warnings.simplefilter("ignore")  # Python warns of a fork beside threads, which is what is tried here
source, _ = os.pipe()
looks = [Look("hung", "/hung", lambda: os.read(source, 1)), Look("well", "/well", os.getpid)]
assert answers(looks, 0.2) == {"well": os.getpid()}
pid = os.fork()
if pid == 0:
    os._exit(answers([Look("well", "/hung", os.getpid)]) != {"well": os.getpid()})
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_fork_knows_nothing_of_what_hangs_in_its_parent(tmp_path: Path) -> None:
    assert output(child(FORKED, cwd=tmp_path)) == "0\n"


NO_THREADS = """
import resource, threading
from prime_uve.core.deadline import Look, answers
threading.stack_size(1 << 30)
resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
try:
    threading.Thread(target=print).start()
except RuntimeError as error:
    print(error)
print(answers([Look(key, "/", lambda: "seen") for key in range(2)]))
"""


def test_without_threads_the_looks_are_made_one_after_the_other(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    assert output(child(NO_THREADS, cwd=tmp_path)) == "can't start new thread\n{0: 'seen', 1: 'seen'}\n"
