"""After ``uve sync`` every command of uv means the one environment, and leaves in the project what plain uv leaves."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import commands
from tests.commands import Environment, Run
from tests.fake_uv import FakeUv
from tests.trees import tree

PREFIX = "import sys; print(sys.prefix)"
OLDEST = "0.4.4"  # the first that knows UV_PROJECT_ENVIRONMENT


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory, uv: Path) -> Path:
    """Return the folder of the oldest uv."""
    folder = tmp_path_factory.mktemp("oldest")
    made = commands.run(uv, "venv", "--python", sys.executable, folder / "venv", cwd=folder)
    assert made.returncode == 0, made.stderr
    done = commands.run(
        uv, "pip", "install", "--python", folder / "venv", "--only-binary", "uv", f"uv=={OLDEST}", cwd=folder
    )
    if done.returncode != 0:
        pytest.skip(f"uv {OLDEST} cannot be installed here: {done.stderr}")
    return folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")


@pytest.fixture(params=["installed", pytest.param("oldest", marks=pytest.mark.slow)])
def which(request: pytest.FixtureRequest, shared: Path) -> Environment:
    """Return what makes `uve` run the installed uv, or the oldest, each with a cache of its own."""
    if request.param == "installed":
        return {"UV_OFFLINE": "1"}
    folder = request.getfixturevalue("oldest")
    return {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "UV_CACHE_DIR": str(shared / f"uv-{OLDEST}"),
        "UV_OFFLINE": "1",
    }


@pytest.fixture
def synced(local_package: Path, run: Run, which: Environment) -> Path:
    (local_package / "src").mkdir()
    assert run("prime-uve", "init", cwd=local_package).returncode == 0
    done = run("uve", "sync", cwd=local_package, env=which)
    assert done.returncode == 0, done.stderr
    return local_package


@pytest.fixture
def environment(synced: Path, home: Path) -> Path:
    assert synced.exists()
    (found,) = (home / "prime-uve/venvs").iterdir()
    return found


COMMANDS = {
    "run": ["run", "python", "-c", PREFIX],
    "pip list": ["pip", "list"],
    "pip tree": ["pip", "tree"],
    "pip install": ["pip", "install", "--no-deps", "--reinstall"],
    "python find": ["python", "find"],
    "tree": ["tree"],
    "build": ["build", "--wheel", "--no-build-isolation"],
    "sync": ["sync"],
    "venv": ["venv", "--allow-existing"],
}


@pytest.mark.parametrize("folder", [".", "src"], ids=["in the root", "in a subfolder"])
def test_every_command_means_the_one_environment_and_none_warns(
    synced: Path, environment: Path, run: Run, which: Environment, folder: str
) -> None:
    before = tree(synced)

    def say(name: str, *more: str | Path) -> str:
        done = run("uve", *COMMANDS[name], *more, cwd=synced / folder, env=which)
        assert done.returncode == 0, (name, done.stderr)
        assert "warning" not in done.stderr.lower(), name
        assert "uve: " not in done.stderr, name
        return done.stdout + done.stderr

    def seen_in_it() -> Iterator[str]:
        yield say("run").splitlines()[0]
        yield str(Path(say("python find").strip()).parent.parent)

    assert set(seen_in_it()) == {str(environment)}
    assert "greeting" in say("pip list")
    assert "greeting" in say("pip tree")
    assert "greeting" in say("tree")
    (environment / "pyvenv.cfg").rename(environment / "gone")
    assert f"'{environment}' does not exist yet" in run("uve", "pip", "list", cwd=synced / folder, env=which).stderr
    (environment / "gone").rename(environment / "pyvenv.cfg")
    assert str(environment) in say("venv")
    assert "greeting" in say("pip install", synced)
    say("sync")
    assert [path.name for path in environment.parent.iterdir()] == [environment.name]
    assert tree(synced) == before
    plain = {"backend.py", "greeting.py", "pyproject.toml", "uv.lock"}
    # The build backend lies in the project, and Python may keep what it has compiled.
    assert set(os.listdir(synced)) - {"__pycache__"} == plain | {".env.uve", "src"}


def test_a_build_leaves_what_uv_leaves(synced: Path, run: Run, which: Environment, uv: Path, tmp_path: Path) -> None:
    if "PATH" in which:
        pytest.skip(f"uv {OLDEST} has no `uv build`")
    for program, out in (("uve", "ours"), (uv, "theirs")):
        done = run(program, *COMMANDS["build"], "--out-dir", tmp_path / out, cwd=synced, env=which)
        assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path / "ours") == os.listdir(tmp_path / "theirs")
    assert not (synced / ".venv").exists()


class TestVenv:
    """``uv venv`` without a path takes the project's environment only at the root of the workspace."""

    @pytest.fixture
    def ready(self, project: Path) -> Path:
        (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo_1\n")
        (project / "sub/deep").mkdir(parents=True)
        return project

    @pytest.mark.parametrize(
        ("args", "places"),
        [
            pytest.param(["venv"], (".", "."), id="in the root"),
            pytest.param(["venv"], ("sub/deep", "."), id="in a subfolder"),
            pytest.param(["venv", "--prompt", "x"], ("sub", "."), id="with an option that has a value"),
            pytest.param(["venv", "here"], ("sub", "sub"), id="with a path"),
            pytest.param(["venv", "--no-project"], ("sub", "sub"), id="without a project"),
            pytest.param(["--directory", "..", "venv"], ("sub", "sub"), id="told to go to the root"),
            pytest.param(["venv", "--project", ".."], ("sub", "sub"), id="told which project"),
            pytest.param(["sync"], ("sub", "sub"), id="any other command"),
        ],
    )
    def test_runs_in_the_root_where_it_has_to(
        self, ready: Path, run: Run, fake_uv: FakeUv, args: list[str], places: tuple[str, str]
    ) -> None:
        folder, gone_to = places
        done = run("uve", *args, cwd=ready / folder)
        assert done.returncode == 0, done.stderr
        assert fake_uv.call.argv == args
        assert fake_uv.call.cwd == str((ready / gone_to).resolve())

    def test_is_refused_where_uv_would_make_a_venv_in_the_project(self, ready: Path, run: Run, fake_uv: FakeUv) -> None:
        with (ready / "pyproject.toml").open("a") as manifest:
            manifest.write('[tool.uv.workspace]\nmembers = ["member"]\n')
        member = ready / "member"
        member.mkdir()
        (member / "pyproject.toml").touch()
        (member / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/member_1\n")
        for args, folder in ((["venv"], member), (["--directory", "sub", "venv"], ready)):
            done = run("uve", *args, cwd=folder)
            assert done.returncode == 2
            assert "uv would make a .venv here; name the environment: uve venv '" in done.stderr
        assert fake_uv.calls == []
