"""Checkouts with their environments as real folders, and interpreters that are given less than this one."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.paths import expand_path_variables
from tests import commands
from tests.core import writers

ENVIRONMENT = "${HOME}/prime-uve/venvs/demo_0a1b2c3d"
LONG_AGO = "2020-02-02T02:02:02Z"


def make(folder: Path, venv_path: str = ENVIRONMENT) -> Path:
    """Make a checkout whose env file names an environment."""
    folder.mkdir(parents=True)
    (folder / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={venv_path}\n")
    return folder.resolve()


def make_environment(venv_path: str = ENVIRONMENT) -> Path:
    environment = expand_path_variables(venv_path)
    environment.mkdir(parents=True)
    (environment / "pyvenv.cfg").touch()
    return environment


def add(cache: Cache, project: Path, venv_path: str = ENVIRONMENT) -> None:
    """Register a checkout without a question, as of long ago."""
    cache.add_mapping(project, venv_path, "demo", "0a1b2c3d")

    def age(rows: dict[str, dict[str, object]]) -> None:
        rows[str(project.resolve())].update(created_at=LONG_AGO, last_validated=LONG_AGO)

    cache.edit(age)


def child(
    script: str,
    *arguments: str | Path,
    cwd: Path,
    prefix: Sequence[str] = (),
    env: commands.Environment | None = None,
) -> CompletedProcess[str]:
    """Run ``script`` to its end in a new interpreter, by way of the command ``prefix``."""
    return commands.run(
        *prefix, sys.executable, "-c", script, *arguments, cwd=cwd, env={**writers.ENVIRONMENT, **(env or {})}
    )


def output(done: CompletedProcess[str]) -> str:
    """Return what was printed; anything but success and silence on stderr is the test's failure."""
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def own_mounts() -> list[str]:
    """Return the command below which mounts are private."""
    command = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    return usable(command, "mount", "-t", "tmpfs", "none", "/mnt")


def as_nobody() -> list[str]:
    """Return the command below which the user is none of the password database, with the same rights to files."""
    return usable(["unshare", "--user", "--map-user=54321"], "true")


def usable(prefix: list[str], *trial: str) -> list[str]:
    try:
        subprocess.run([*prefix, *trial], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{' '.join(prefix)} is not allowed here")
    return prefix
