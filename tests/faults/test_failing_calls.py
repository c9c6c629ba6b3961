"""System calls that fail: the error says what failed, on which path, and the old file is whole; or it did no harm."""

import errno
import os
from collections.abc import Callable

import pytest

from tests.faults import budget
from tests.faults.injection import NO_FILES, Answer, Call, Strace, Subject, landmarks
from tests.faults.scenes import READS, WRITES, Case, Scene

Setting = Callable[[Case], Scene]

ERRORS = ["EIO", "ENOSPC", "EDQUOT", "EACCES", "EROFS", "EMFILE", "EINTR"]
# Where "could not" does not mean that the old file is still there, the error says so.
SAYS_MORE = ("is written, but a power loss could undo that", "could not release the lock")


def check_failure(scene: Scene, fault: object, answer: Answer, error: str) -> None:
    """Insist on an error that explains itself, or on the whole effect."""
    assert answer.outcome in {"done", "CacheError"}, (fault, answer)
    if answer.is_done:
        scene.check(fault, acknowledged=not scene.case.stamps)
        return
    reason = os.strerror(getattr(errno, error))
    assert reason in answer.said, (fault, answer)
    places = (scene.place.registry, *map(scene.place.project, ("one", "two", "link", "new")))
    assert any(str(place) in answer.said for place in places), (fault, answer)
    happened = scene.check(fault, acknowledged=False)
    assert not happened or any(words in answer.said for words in SAYS_MORE), (fault, answer)


def check_reading(scene: Scene, fault: object, answer: Answer, error: str) -> None:
    """Insist on the truth or on an error, and on a registry that nothing has happened to."""
    assert scene.is_as_before()
    if answer.is_done:
        assert answer.result == scene.case.result, (fault, answer)
    else:
        assert answer.outcome == "CacheError", (fault, answer)
        assert os.strerror(getattr(errno, error)) in answer.said, (fault, answer)
        assert str(scene.place.registry) in answer.said, (fault, answer)


CHECKS = [(case, check_failure) for case in WRITES.values()] + [(case, check_reading) for case in READS.values()]
cases = pytest.mark.parametrize(("case", "check"), CHECKS, ids=[*WRITES, *READS])
Check = Callable[[Scene, object, Answer, str], None]


def of_files(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.name not in NO_FILES]


@cases
def test_any_system_call_may_fail_once(
    subject: Subject, strace: Strace, scene: Setting, case: Case, check: Check
) -> None:
    set_up = scene(case)
    calls = of_files(strace.calls(subject, set_up))
    others = [(call, error) for error in ERRORS for call in calls]
    # Acts that differ in what they change look at the same folders on the way: each of those fails in these two.
    first = (
        calls
        if case.act in {"update", "validate"}
        else [calls[index] for index in landmarks([call.name for call in calls])]
    )
    failed = 0
    for call, error in [(call, "EIO") for call in first] + budget.sample(f"fail {case.act}", others, 15):
        set_up.reset()
        answer = subject.act_under(strace, set_up, *call.failing(error))
        failed += not answer.is_done
        check(set_up, f"{call} {error}", answer, error)
    assert failed >= 5


@cases
def test_any_call_of_the_library_may_fail_once(subject: Subject, scene: Setting, case: Case, check: Check) -> None:
    set_up = scene(case)
    calls = subject.act(set_up, "call").names
    others = [(index, error) for error in ERRORS for index in range(len(calls))]
    chosen = [(index, "ENOSPC") for index in landmarks(calls)] + budget.sample(f"call {case.act}", others, 10)
    for index, error in chosen:
        set_up.reset()
        answer = subject.act(set_up, "call", what=getattr(errno, error), nth=index + 1)
        check(set_up, f"call {index}, {calls[index]}: {error}", answer, error)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
@cases
def test_a_system_call_may_fail_for_good(  # noqa: PLR0913, PLR0917  # a fixture, or a column of the table, each
    subject: Subject, strace: Strace, scene: Setting, case: Case, check: Check, error: str
) -> None:
    set_up = scene(case)
    calls = of_files(strace.calls(subject, set_up))
    links = [call for call in calls if call.name.startswith("readlink")][:1]
    for call in links + budget.sample(f"for good {case.act} {error}", calls, 3):
        set_up.reset()
        answer = subject.act_under(strace, set_up, *call.failing(error, for_ever=True))
        check(set_up, f"{call} and later: {error}", answer, error)
