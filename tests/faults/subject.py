"""The process to which faults happen: it does one act for each request, in a child of its own, and says what came out.

Everything is imported before, so that a child takes milliseconds and does nothing but its act. Requests and answers
are lines of JSON on stdin and stdout::

    {"act": "add", "registry": PATH, "projects": PATH, "fault": {...}}
    {"outcome": "done", "said": "", "counted": 71, ...}

``outcome`` is ``done``, ``killed``, or the name of an exception whose text is ``said``; ``counted`` tells how many
lines or calls there were. With ``"gate": true`` the child waits, so that a tracer can be attached to it: the first
answer names its ``pid``, and it goes on when the next line comes in.
"""

import ctypes
import fcntl
import io
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import filelock

import prime_uve.core
from prime_uve.core import cache, deadline
from prime_uve.errors import CacheError
from tests.faults.scenes import ACTS, Place

CORE = os.path.dirname(cache.__file__)
LOCKING = os.path.dirname(filelock.__file__)
# What the registry and the library below it ask of the system by way of Python's own functions.
CALLS = (
    *("chmod", "close", "fchmod", "fstat", "fsync", "listdir", "lstat", "mkdir", "open", "read", "readlink"),
    *("replace", "stat", "unlink", "urandom", "write"),
)


class Fault:
    """None at all; the others are derived from it.

    ``counted`` is how many times it could have happened; ``names`` are the calls that were made.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self.nth: int = request.get("nth", 0)
        self.what: str | int = request.get("what", "")
        self.counted = 0
        self.names: list[str] = []

    def begin(self) -> None: ...

    def end(self) -> None: ...

    def is_due(self) -> bool:
        self.counted += 1
        return self.counted == self.nth


class AtLine(Fault):
    """A kill or an interrupt before the nth line of our own code, or of filelock's too."""

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request)
        self.folders = (CORE, LOCKING) if request.get("filelock") else (CORE,)

    def begin(self) -> None:
        sys.settrace(self.trace)

    def end(self) -> None:
        sys.settrace(None)

    def trace(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        file = frame.f_code.co_filename
        if not file.startswith(self.folders) or file == deadline.__file__:  # how often it waits, nobody knows
            return None
        if event == "line" and self.is_due():
            signal.raise_signal(signal.SIGKILL if self.what == "kill" else signal.SIGINT)
        return self.trace


class AtCall(Fault):
    """A kill before the nth call, or its failure; ``what`` is the number of the error."""

    def begin(self) -> None:
        self.real = [(os, name, getattr(os, name)) for name in CALLS] + [(fcntl, "flock", fcntl.flock)]
        for module, name, real in self.real:
            setattr(module, name, self.wrapped(real, is_close=name == "close"))

    def end(self) -> None:
        for module, name, real in self.real:
            setattr(module, name, real)

    def wrapped(self, real: Callable[..., object], *, is_close: bool = False) -> Callable[..., object]:
        def call(*arguments: Any, **options: Any) -> object:  # noqa: ANN401  # whatever the real one takes
            self.names.append(real.__name__)
            if not self.is_due():
                return real(*arguments, **options)
            if not isinstance(self.what, int):
                signal.raise_signal(signal.SIGKILL)
            if is_close:  # a descriptor is closed, whatever close says
                real(*arguments, **options)
            raise OSError(self.what, os.strerror(int(self.what)))

        return call


class AtSize(Fault):
    """No file may grow beyond ``nth`` bytes, as on a disk that is full."""

    def begin(self) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.nth, resource.RLIM_INFINITY))

    def end(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


FAULTS: dict[str, type[Fault]] = {"none": Fault, "line": AtLine, "call": AtCall, "size": AtSize}


def perform(request: dict[str, Any], fault: Fault) -> dict[str, object]:
    act, place = ACTS[request["act"]], Place(Path(request["registry"]), Path(request["projects"]))
    sys.stderr = io.StringIO()
    outcome, said, result = "done", "", None
    fault.begin()
    try:
        result = act(place)
    except CacheError as error:
        outcome, said = "CacheError", str(error)
    except KeyboardInterrupt:
        outcome = "KeyboardInterrupt"
    except BaseException as error:  # noqa: BLE001  # whatever it is, the test is to see it
        outcome, said = type(error).__name__, str(error)
    finally:
        fault.end()
        os.getppid()  # the mark in a trace that the act is over
    return {"outcome": outcome, "said": said, "result": result, "stderr": sys.stderr.getvalue()}


def serve(request: dict[str, Any]) -> None:
    # A socket, because the system call that answers must be none of those that are made to fail.
    ours, theirs = socket.socketpair()
    gate, opener = os.pipe()
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.close(opener)
        if request.get("gate"):
            wait_for_tracer(theirs, gate)
        fault = FAULTS[request["fault"]["kind"]](request["fault"])
        report = {**perform(request, fault), "counted": fault.counted, "names": fault.names}
        theirs.sendall(json.dumps(report).encode())
        os.kill(os.getpid(), signal.SIGKILL)  # nothing is to be done on the way out
    theirs.close()
    os.close(gate)
    if request.get("gate"):
        ours.recv(1)
        say({"pid": pid})
        sys.stdin.readline()
    os.close(opener)
    written = b"".join(iter(lambda: ours.recv(1 << 20), b""))
    ours.close()
    os.waitpid(pid, 0)
    say(json.loads(written) if written else {"outcome": "killed"})


def wait_for_tracer(ready: socket.socket, gate: int) -> None:
    # Linux may allow nobody but our parents to trace us (Yama), unless we do.
    set_ptracer = 0x59616D61
    ctypes.CDLL(None).prctl(set_ptracer, ctypes.c_ulong(-1), 0, 0, 0)
    waiting = select.poll()
    waiting.register(gate, select.POLLIN)
    ready.send(b" ")  # from here on, the one system call is the wait
    waiting.poll()


def say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def import_everything() -> None:
    for name in prime_uve.core.__all__:
        getattr(prime_uve.core, name)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder) / "registry", Path(folder))
        for act in ACTS.values():
            act(place)


if __name__ == "__main__":
    import_everything()
    for line in sys.stdin:
        serve(json.loads(line))
