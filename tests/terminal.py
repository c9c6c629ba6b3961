"""A person at a terminal: runs a command on a pseudo-terminal, waits for what it says, and answers."""

import os
import pty
import select
import subprocess
import sys
import termios
from pathlib import Path
from typing import Self

from tests.commands import SCRIPTS, Environment

INTERRUPT = "\x03"  # what Ctrl-C sends

# The terminal has to be the controlling one, or Ctrl-C is a character like any other.
_TAKE_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_SECONDS = 60


def converse(
    *command: str, cwd: Path, prompt: str = "", answer: str = "", env: Environment | None = None, columns: int = 80
) -> tuple[int, str]:
    """Run one of our commands; type ``answer`` when it has said ``prompt``. Returns its exit code and all it said."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, columns))
    environment = {**os.environ, "TERM": "xterm", **(env or {})}
    with subprocess.Popen(
        [sys.executable, "-S", "-c", _TAKE_TERMINAL, str(SCRIPTS / command[0]), *command[1:]],
        cwd=cwd,
        env={name: value for name, value in environment.items() if value is not None},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            said = _talk(ours, process.pid, prompt, answer)
            return process.wait(_SECONDS), said
        finally:
            process.kill()
            os.close(ours)


def _talk(terminal: int, pid: int, prompt: str, answer: str) -> str:
    said = b""
    while block := _read(terminal):
        said += block
        if answer and prompt in said.decode(errors="replace"):
            while not _is_waiting(pid):
                os.sched_yield()
            os.write(terminal, answer.encode())
            answer = ""
    return said.decode()


def _is_waiting(pid: int) -> bool:
    """Whether the process sleeps, as far as the system tells: Python overlooks a Ctrl-C right before it reads."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "RD"
    except FileNotFoundError:
        return True


def _read(terminal: int) -> bytes:
    assert select.select([terminal], [], [], _SECONDS)[0], "nothing more is said, and the end does not come"
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that nobody has the other end open
        return b""


class Terminal:
    """A program on a terminal of its own, that is typed to and listened to in turns."""

    def __init__(self, *command: str, cwd: Path, env: Environment) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(self._ours, (24, 200))
        environment = {name: value for name, value in {**os.environ, **env}.items() if value is not None}
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", _TAKE_TERMINAL, *command],
            cwd=cwd,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # What still runs in it is hung up on as its terminal goes.
        os.close(self._ours)
        self._process.kill()
        self._process.wait(_SECONDS)

    def wait_for(self, text: str, *, after: str = "") -> str:
        """Return what is said after ``after`` up to and with ``text``."""
        said = ""
        while True:
            _, found, rest = said.rpartition(after) if after else ("", "", said)
            if found == after and text in rest:
                return rest
            block = _read(self._ours)
            assert block, f"the end, without {text!r}: {said!r}"
            said += block.decode(errors="replace")

    def type(self, text: str, *, answer: str) -> str:
        """Type ``text`` and return what is said after the echo of a line, up to and with ``answer``."""
        os.write(self._ours, text.encode())
        return self.wait_for(answer, after=text.removesuffix("\n") if text.endswith("\n") else "")

    def wait_until_asleep(self, pid: int) -> None:
        """Wait until a process of it waits for what is typed."""
        while not _is_waiting(pid):
            os.sched_yield()
