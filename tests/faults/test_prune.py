"""A prune that is killed, interrupted or refused by the system, anywhere: nothing is lost that was not to go.

Afterwards each environment is whole and registered, or gone and unregistered, or in the trash; and the next prune
finishes the work.
"""

import os
import shutil
from pathlib import Path

import pytest

from prime_uve.core import marker
from prime_uve.core.paths import TRASH
from prime_uve.core.removal import Choice, execute, plan
from tests.core import checkouts
from tests.faults import budget
from tests.faults.injection import NO_FILES, Answer, Call, Strace, Subject
from tests.faults.scenes import LASTING, Place, base_of
from tests.trees import tree

ORPHANS = ("orphan", "other")
LIVING = "living"
# What threads do when they begin.
WAITING = {"rseq", "set_robust_list"}
# What changes something, or has it last.
CHANGING = ("chmod", "fchmod", "flock", "fsync", "mkdir", "rename", "rmdir", "unlink", "write")
ERRORS = ["EIO", "ENOSPC", "EACCES", "EROFS", "EMFILE", "EINTR"]


class Ground:
    """Two environments of projects that are gone, and one of a project that lives, set up anew for each fault."""

    act = "prune"

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder / "home" / "registry", folder / "projects")
        self._template = folder / "template"
        with base_of(self.place) as base:
            for name in (*ORPHANS, LIVING):
                environment = base / name
                (environment / "lib" / "package").mkdir(parents=True)
                (environment / "lib" / "package" / "module.py").write_text("import this\n")
                (environment / "pyvenv.cfg").touch()
                (environment / ".lock").touch()
                project = checkouts.make(self.place.project(name), str(environment))
                self.place.cache.add_mapping(project, str(environment), name, "01234567")
                marker.give(str(environment), str(project))
            for name in ORPHANS:
                shutil.rmtree(self.place.project(name))
            self.base = base
        self.whole = {name: tree(self.base / name) for name in (*ORPHANS, LIVING)}
        self.place.registry.parent.rename(self._template)
        self.reset()

    def reset(self) -> None:
        shutil.rmtree(self.place.registry.parent, ignore_errors=True)
        shutil.copytree(self._template, self.place.registry.parent, symlinks=True)

    def mappings(self) -> set[str]:
        return {Path(project).name for project in self.place.cache.rows()}

    def check(self, fault: object) -> frozenset[str]:
        """Insist on what is promised, and that the next prune finishes the work; return what was gone before that."""
        try:
            gone = self._check_environments()
            self._check_next_prune()
        except Exception as error:
            error.add_note(f"the fault was at {fault}")
            raise
        return gone

    def _check_environments(self) -> frozenset[str]:
        registered = self.mappings()
        assert tree(self.base / LIVING) == self.whole[LIVING]
        assert LIVING in registered
        gone = frozenset(name for name in ORPHANS if not (self.base / name).exists())
        for name in ORPHANS:
            if name not in gone:
                assert tree(self.base / name) == self.whole[name]
                assert name in registered
            elif name in registered:
                assert self._has_whole_in_trash(name)
        return gone

    def _has_whole_in_trash(self, name: str) -> bool:
        for entry in (self.base / TRASH).iterdir():
            found = {path.replace(str(entry), str(self.base / name)): what for path, what in tree(entry).items()}
            if found == self.whole[name]:
                return True
        return False

    def _check_next_prune(self) -> None:
        with base_of(self.place):
            report = execute(self.place.cache, plan(self.place.cache, Choice(orphan=True)))
        assert report.is_complete, report
        self.place.cache.add_mapping(self.place.project("next"), "/v/next", "next", "01234567")  # it sweeps
        assert self.mappings() == {LIVING, "next"}
        assert sorted(os.listdir(self.base)) in ([LIVING], [TRASH, LIVING])
        assert not (self.base / TRASH).exists() or os.listdir(self.base / TRASH) == []
        assert tree(self.base / LIVING) == self.whole[LIVING]
        assert {path.name for path in self.place.registry.iterdir()} == LASTING


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path.resolve())


def of_files(calls: list[Call]) -> list[Call]:
    """Return the calls that say something about a file, and are the same each time."""
    return [call for call in calls if call.name not in NO_FILES | WAITING]


NOTHING, ALL = frozenset[str](), frozenset(ORPHANS)


def test_a_kill_at_each_system_call_leaves_each_environment_whole_or_gone_or_in_the_trash(
    subject: Subject, strace: Strace, ground: Ground
) -> None:
    calls = of_files(strace.calls(subject, ground))
    changing = [call for call in calls if call.name.startswith(CHANGING)]
    others = [call for call in calls if call not in changing]
    states = set()
    for call in [*changing, *budget.sample("kill prune", others, 15)]:
        ground.reset()
        answer = subject.act_under(strace, ground, *call.killed())
        # How much there is to read of the processes that run is not the same each time.
        assert answer.outcome == "killed" or call in others, (call, answer)
        states.add(ground.check(call))
    assert len(changing) > 20
    assert {NOTHING, ALL} <= states


def test_a_kill_at_each_line_leaves_each_environment_whole_or_gone_or_in_the_trash(
    subject: Subject, ground: Ground
) -> None:
    lines = subject.act(ground, "line").counted
    states = set()
    for nth in budget.sample("kill prune", range(1, lines + 1), 25):
        ground.reset()
        answer = subject.act(ground, "line", what="kill", nth=nth)
        assert answer.outcome == "killed" or answer.is_done, (nth, answer)
        states.add(ground.check(f"line {nth}"))
    assert lines > 500
    assert NOTHING in states


def test_an_interrupt_at_each_line_leaves_each_environment_whole_or_gone_or_in_the_trash(
    subject: Subject, ground: Ground
) -> None:
    lines = subject.act(ground, "line").counted
    for nth in budget.sample("interrupt prune", range(1, lines + 1), 15):
        ground.reset()
        answer = subject.act(ground, "line", what="interrupt", nth=nth)
        assert answer.outcome == "KeyboardInterrupt" or answer.is_done, (nth, answer)
        ground.check(f"line {nth}")


def check_failure(ground: Ground, fault: object, answer: Answer) -> None:
    """Insist on an answer, and that what it says is gone is all that is gone."""
    assert answer.outcome in {"done", "CacheError", "RefusalError"}, (fault, answer)
    gone = ground.check(fault)
    if answer.is_done:
        assert gone == frozenset(answer.result if isinstance(answer.result, list) else []), (fault, answer)


def test_any_system_call_may_fail_once(subject: Subject, strace: Strace, ground: Ground) -> None:
    calls = of_files(strace.calls(subject, ground))
    chosen = [(call, "EIO") for call in calls if call.name.startswith(("fsync", "flock", "mkdir", "rename"))]
    chosen += budget.sample("fail prune", [(call, error) for error in ERRORS for call in calls], 12)
    for call, error in chosen:
        ground.reset()
        check_failure(ground, (call, error), subject.act_under(strace, ground, *call.failing(error)))
