"""Other processes that use a store: some write, and some hold its lock."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prime_uve import errors
from prime_uve.core.store import Store

_HEAD = """
import sys
from pathlib import Path
from prime_uve.core.store import Store
from prime_uve.errors import CacheError
store = Store(Path(sys.argv[1]), version="1.0", defaults={"venvs": {}}, timeout=60)
"""

_HOLD = """
def change(document):
    print("held", flush=True)
    sys.stdin.readline()
store.update(change)
"""


# The package under test, wherever that is, and not another one that a child might find.
ENVIRONMENT = {"PYTHONPATH": str(Path(errors.__file__).parents[1])}


def store_at(path: Path, *, timeout: float = 60.0) -> Store:
    return Store(path, version="1.0", defaults={"venvs": {}}, timeout=timeout)


def command(path: Path, script: str, *arguments: str) -> list[str]:
    """What runs ``script`` in a new interpreter, where ``store`` is the store at ``path``."""
    return [sys.executable, "-c", _HEAD + script, str(path), *arguments]


def run(path: Path, script: str, *arguments: str) -> str:
    """Run ``script`` to its end, which has to be a good one. Returns its output."""
    done = subprocess.run(
        command(path, script, *arguments),
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of an update, and stays there until it is killed or the block ends."""
    with subprocess.Popen(
        command(path, _HOLD),
        env=os.environ | ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()
