"""The tests of the tests: what they may not see or touch, and what their fixtures stand for."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import isolation
from tests.commands import Git, Run
from tests.fake_uv import FakeUv
from tests.isolation import RealHomeTouchedError

REAL_HOME = Path(min(isolation.REAL_HOMES, default=os.devnull))
CALLER = {
    "CI": "true",
    "COLUMNS": "20",
    "GIT_DIR": "elsewhere",
    "GIT_INDEX_FILE": "elsewhere",
    "PRE_COMMIT": "1",
    "PRIME_UVE_CACHE": "elsewhere",
    "UV_PROJECT_ENVIRONMENT": "elsewhere",
    "UV_PYTHON": "elsewhere",
    "VIRTUAL_ENV": "elsewhere",
    "XDG_CACHE_HOME": "elsewhere",
}


@pytest.mark.skipif(not isolation.REAL_HOMES, reason="the home is the root of the file system")
@pytest.mark.parametrize(
    "touch",
    [
        pytest.param(Path.read_text, id="read a file"),
        pytest.param(Path.touch, id="make a file"),
        pytest.param(Path.mkdir, id="make a folder"),
        pytest.param(Path.unlink, id="remove a file"),
        pytest.param(shutil.rmtree, id="remove a tree"),
        pytest.param(lambda path: list(path.parent.iterdir()), id="list the folder"),
        pytest.param(lambda path: path.rename("here"), id="move away"),
        pytest.param(lambda path: Path("here").rename(path), id="move in"),
        pytest.param(lambda path: Path("here").symlink_to(path), id="link to"),
        pytest.param(lambda path: open(bytes(path), "rb"), id="open by bytes"),  # noqa: SIM115
        pytest.param(lambda path: open(os.path.relpath(path)), id="open by a relative path"),  # noqa: SIM115
    ],
)
def test_the_real_home_raises_when_touched(
    touch: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RealHomeTouchedError, match="real home"):
        touch(REAL_HOME / "prime-uve-test")


def test_the_home_of_a_test_is_empty_and_its_own(home: Path) -> None:
    assert Path.home() == home
    assert str(home) not in isolation.REAL_HOMES
    assert list(home.iterdir()) == []


def test_nothing_that_steers_a_program_comes_from_the_caller() -> None:
    assert {name for name in CALLER if name in os.environ} == set()
    assert "elsewhere" not in os.environ.values()


def test_a_caller_who_sets_everything_changes_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp", tmp_path / "inner"),
            f"{__file__}::{test_nothing_that_steers_a_program_comes_from_the_caller.__name__}",
        ],
        env={**os.environ, **CALLER},
        cwd=isolation.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_git_knows_only_our_configuration(repo: Path, git: Git) -> None:
    origins = {line.split("\t")[0] for line in git(repo, "config", "--list", "--show-origin").splitlines()}
    assert origins == {f"file:{os.environ['GIT_CONFIG_GLOBAL']}", "file:.git/config"}
    assert git(repo, "log", "--format=%an %s") == "A Tester A project\n"


def test_git_that_fails_fails_the_test_with_its_output(project: Path, git: Git) -> None:
    with pytest.raises(AssertionError, match="not a git repository"):
        git(project, "status")


def test_uv_is_real_and_takes_the_python_of_the_test(project: Path, run: Run, uv: Path) -> None:
    done = run(uv, "run", "python", "-c", "import sys; print(*sys.version_info[:2])", cwd=project)
    assert done.stdout.split() == [str(part) for part in sys.version_info[:2]], done.stderr


@pytest.mark.parametrize("editable", [True, False], ids=["editable", "as a wheel"])
def test_the_local_package_is_built_and_installed_without_an_index(
    local_package: Path, run: Run, uv: Path, *, editable: bool
) -> None:
    options = () if editable else ("--no-editable",)
    done = run(uv, "run", "--offline", *options, "greet", cwd=local_package)
    assert done.stdout == "hello\n", done.stderr


def test_the_fake_uv_writes_down_what_it_got(project: Path, run: Run, fake_uv: FakeUv) -> None:
    fake_uv.exits(3)
    done = run("uv", "sync", "a b", "\udcff", cwd=project, env={"WORD": "\udcff", "HOME": None})
    assert done.returncode == 3
    assert fake_uv.call.argv == ["sync", "a b", "\udcff"]
    assert fake_uv.call.cwd == str(project)
    assert fake_uv.call.env["WORD"] == "\udcff"
    assert "HOME" not in fake_uv.call.env
