"""What people would use instead, each in an environment of its own, as far as the index and the Pythons allow."""

import os
import pwd
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from uv import find_uv_bin

PUBLISHED = "prime-uve==0.2.0"
PUBLISHED_PYTHON = "3.13"
ROOT = Path(__file__).parents[1]


class MissingError(Exception):
    """A rival is not to be had here; ``str()`` says why."""


@cache
def published(folder: Path) -> Path:
    """Install the published prime-uve; return the folder of its programs.

    Raises:
        MissingError: no index, or no Python that is new enough for it.
    """
    return install(folder / "published", PUBLISHED, python=_python())


@cache
def ours(folder: Path) -> Path:
    """Install this checkout for the Python that the published one needs.

    Raises:
        MissingError: see `published`.
    """
    return install(folder / "ours", str(ROOT), python=_python())


def install(folder: Path, what: str, *, python: str = sys.executable) -> Path:
    """Install a distribution into a new environment in `folder`; return the folder of its programs.

    Raises:
        MissingError: it cannot be installed.
    """
    uv = find_uv_bin()
    make = [uv, "venv", "--quiet", "--python", python, folder]
    fill = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", folder, what]
    for command in (make, fill):
        done = subprocess.run(command, env=_environ(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MissingError(f"{what} cannot be installed: {' '.join(done.stderr.split())[:200]}")
    return folder / "bin"


def _python() -> str:
    program = shutil.which(f"python{PUBLISHED_PYTHON}")
    command = [str(program), "-c", "import sys; print(sys.executable)"]
    done = None if program is None else subprocess.run(command, env=_environ(), capture_output=True, check=False)
    if done is None or done.returncode != 0:
        raise MissingError(f"{PUBLISHED} needs Python {PUBLISHED_PYTHON}, and there is none")
    return os.fsdecode(done.stdout).strip()


def _environ() -> dict[str, str]:
    """Return the variables of this account, not of the scene; what pyenv has answers for the version asked for."""
    return {**os.environ, "HOME": pwd.getpwuid(os.getuid()).pw_dir, "PYENV_VERSION": PUBLISHED_PYTHON}
