"""Running the real programs, as a person or Git would."""

import os
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol

SCRIPTS = Path(sysconfig.get_path("scripts"))
OURS = {"prime-uve", "prime-uve-hook", "uve"}
Environment = Mapping[str, str | None]


class Run(Protocol):
    def __call__(
        self, *command: str | Path, cwd: Path, env: Environment = ..., stdin: str = ..., timeout: float = ...
    ) -> CompletedProcess[str]: ...


class Git(Protocol):
    def __call__(self, folder: Path, *args: str | Path, env: Environment = ...) -> str: ...


def run(
    *command: str | Path, cwd: Path, env: Environment | None = None, stdin: str = "", timeout: float = 120
) -> CompletedProcess[str]:
    """Run a command and return what it said. Our own commands are those that are installed beside this Python.

    ``env`` is laid over the environment of the test; ``None`` takes a variable away. ``timeout`` is in seconds.
    """
    program, *args = map(str, command)
    environment = {**os.environ, **(env or {})}
    return subprocess.run(
        [SCRIPTS / program if program in OURS else program, *args],
        cwd=cwd,
        env={name: value for name, value in environment.items() if value is not None},
        input=stdin,
        timeout=timeout,
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="surrogateescape",
    )


def git(folder: Path, *args: str | Path, env: Environment | None = None) -> str:
    """Run ``git`` in a folder and return its standard output; any failure is the test's."""
    done = run("git", *args, cwd=folder, env=env)
    assert done.returncode == 0, f"{done.args} exited {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout
