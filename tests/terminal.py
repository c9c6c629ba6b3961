"""A person at a terminal: runs a command on a pseudo-terminal, waits for what it says, and answers."""

import os
import pty
import select
import subprocess
import sys
import termios
from pathlib import Path

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
