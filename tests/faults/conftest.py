"""The tools that make things fail: a process to which it happens, and what attaches to it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.core import writers
from tests.faults.injection import Strace, Subject
from tests.faults.scenes import Case, Scene
from tests.isolation import ROOT


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """Return the process that acts on registries and is killed, interrupted or refused by the system meanwhile."""
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), writers.ENVIRONMENT["PYTHONPATH"]]),
        "HOME": str(tmp_path_factory.mktemp("home")),
    }
    # Thousands of children, each of which would write down what it has covered.
    environment = {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.subject"],
        cwd=tmp_path_factory.mktemp("subject"),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Subject(process)
        process.stdin.close()  # type: ignore[union-attr]


@pytest.fixture(scope="session")
def strace(tmp_path_factory: pytest.TempPathFactory) -> Strace:
    """Return the tracer that makes system calls fail; skips where it is missing or may not attach."""
    tracer = Strace(tmp_path_factory.mktemp("strace") / "calls")
    trouble = tracer.trouble()
    if trouble:
        pytest.skip(trouble)
    return tracer


@pytest.fixture
def scene(tmp_path: Path) -> Callable[[Case], Scene]:
    return lambda case: Scene(case, tmp_path)
