"""The test's end of the tools: asking the subject to do something, and attaching strace to it."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import budget
from tests.faults.scenes import Place, Staged

# The wait at the gate, before the act; and the mark after it.
_WAIT = {"poll", "ppoll", "restart_syscall"}
_MARK = "getppid"
# What the interpreter does for itself, and not at the same points each time.
MEMORY = {"brk", "madvise", "mmap", "mprotect", "mremap", "munmap"}
# How threads are made and wait for each other, which no disk makes fail.
THREADS = {"clone", "clone3", "futex", "sched_yield"}
# What says nothing about a file, either.
NO_FILES = MEMORY | THREADS
NO_FILES |= {"getpid", "gettid", "getuid", "geteuid", "rt_sigaction", "rt_sigprocmask", "clock_gettime"}


@dataclass(frozen=True)
class Answer:
    """What came out of an act. ``outcome`` is ``done``, ``killed``, or the name of the exception that ``said`` it."""

    outcome: str
    said: str = ""
    result: object = None
    stderr: str = ""
    counted: int = 0
    names: list[str] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return self.outcome == "done"


@dataclass(frozen=True)
class Call:
    """The ``nth`` system call of this ``name`` in an act."""

    name: str
    nth: int

    def killed(self) -> tuple[str, str]:
        """Return strace's options for a kill as this call begins."""
        return f"--trace={self.name}", f"--inject={self.name}:signal=KILL:when={self.nth}"

    def failing(self, error: str, *, for_ever: bool = False) -> tuple[str, str]:
        """Return strace's options for a failure of this call, or of this and all later ones of its name."""
        return f"--trace={self.name}", f"--inject={self.name}:error={error}:when={self.nth}{'+' * for_ever}"


def landmarks(names: list[str]) -> list[int]:
    """Return the indices of the calls between which something may have changed.

    In a long run these are all. Else a row of equal calls (a path that is looked at folder by folder) counts at its
    two ends, and what does not touch files does not count.
    """
    if budget.IS_LONG:
        return list(range(len(names)))
    return [
        index
        for index, name in enumerate(names)
        if name not in NO_FILES and not (names[index - 1 : index] == [name] == names[index + 1 : index + 2])
    ]


class Subject:
    """Does acts, one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def act(self, scene: Staged, kind: str = "none", **fault: str | int | bool) -> Answer:
        """Do what the scene's case does, with a fault of this kind (see `tests.faults.subject`)."""
        return Answer(**self._ask(self._request(scene.act, scene.place, {"kind": kind, **fault})))

    def act_under(self, strace: "Strace", scene: Staged, *options: str) -> Answer:
        """Do it while strace watches, or meddles."""
        request = {**self._request(scene.act, scene.place, {"kind": "none"}), "gate": True}
        with strace.attached(self._ask(request)["pid"], *options):
            return Answer(**self._ask({}))

    def _request(self, act: str, place: Place, fault: dict[str, Any]) -> dict[str, object]:
        return {"act": act, "registry": str(place.registry), "projects": str(place.projects), "fault": fault}

    def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


class Strace:
    """Attaches to a process that waits at the gate, and counts its system calls from there."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def trouble(self) -> str:
        """Say why it cannot be used, if it cannot."""
        if shutil.which("strace") is None:
            return "there is no strace"
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
            with self.attached(other.pid) as tracer:
                assert other.stdin is not None
                other.stdin.close()
            return "" if tracer.returncode == 0 else "strace may not attach to a process here"

    def attached(self, pid: int, *options: str) -> "_Attached":
        """Return a context in which the process is traced; it has to end within."""
        return _Attached(["strace", "-p", str(pid), "-o", str(self._output), *options])

    def calls(self, subject: Subject, scene: Staged) -> list[Call]:
        """List the system calls of the scene's case, by a run in which nothing goes wrong."""
        scene.reset()
        answer = subject.act_under(self, scene)
        assert answer.is_done, answer
        counts: dict[str, int] = {}
        calls: list[Call] = []
        for line in self._output.read_text(errors="replace").splitlines():
            name = line.partition("(")[0]
            if name == _MARK:
                return calls
            if re.fullmatch(r"\w+", name) and name not in _WAIT:
                counts[name] = counts.get(name, 0) + 1
                calls.append(Call(name, counts[name]))
        raise AssertionError("the mark is missing")


class _Attached:
    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> subprocess.Popen[str]:
        assert self._process.stderr is not None
        self._process.stderr.readline()  # it says "attached", or why not
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)
