"""Fixtures: a home of its own for each test, and real programs in temporary folders."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from uv import find_uv_bin

from tests import commands, isolation
from tests.commands import Git, Run
from tests.fake_uv import FakeUv

isolation.guard_real_home()

# Examples start processes and wait for disks: how long one takes says nothing.
settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")

GITCONFIG = """\
[user]
    name = A Tester
    email = tester@example.invalid
[init]
    defaultBranch = main
[commit]
    gpgSign = false
[tag]
    gpgSign = false
[protocol "file"]
    allow = always
"""
PYPROJECT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
"""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of this session share; what is in it must bear being made twice."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = folder / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _environment(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take the caller's settings out of this process, and put ours in."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "home").mkdir()
    gitconfig = folder / "gitconfig"
    gitconfig.write_text(GITCONFIG)
    variables = {
        "PATH": os.pathsep.join([str(commands.SCRIPTS), os.path.join(sys.base_exec_prefix, "bin"), os.environ["PATH"]]),
        "HOME": str(folder / "home"),  # of fixtures that outlive a test
        "GIT_CONFIG_GLOBAL": str(gitconfig),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "PIP_CACHE_DIR": str(shared / "pip"),
        "PRE_COMMIT_HOME": str(shared / "pre-commit"),
        "PREK_HOME": str(shared / "prek"),
        "UV_CACHE_DIR": str(shared / "uv"),
        # Not UV_PYTHON: it would make `uv pip` ignore VIRTUAL_ENV. This Python is the first on PATH instead.
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PYTHON_PREFERENCE": "only-system",
        **isolation.index_configuration(folder / "configuration"),
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in isolation.steering_variables():
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home directory of this test, which is empty. Its path is short: it is part of shebang lines."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return folder


@pytest.fixture
def run() -> Run:
    """Return a function that runs a command: ``run("prime-uve", "list", cwd=project)``."""
    return commands.run


@pytest.fixture
def git() -> Git:
    """Return a function that runs Git and insists on success: ``git(repo, "add", ".")``."""
    return commands.git


@pytest.fixture(scope="session")
def uv() -> Path:
    """Return the path of the real uv."""
    return Path(find_uv_bin())


@pytest.fixture
def fake_uv(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> FakeUv:
    """Put an executable ``uv`` first on PATH that writes down how it was called."""
    fake = FakeUv(tmp_path_factory.mktemp("fake"))
    monkeypatch.setenv("PATH", str(fake.path.parent), prepend=os.pathsep)
    return fake


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project that has no dependency and no environment."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    return folder


@pytest.fixture
def repo(project: Path, git: Git) -> Path:
    """Return the project as a Git repository with one commit."""
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "A project")
    return project


@pytest.fixture
def local_package(tmp_path: Path) -> Path:
    """Return the source of ``greeting``, a package that uv builds and installs without an index."""
    return Path(shutil.copytree(isolation.ROOT / "tests/packages/greeting", tmp_path / "greeting"))
