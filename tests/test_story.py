"""The main job, end to end: real uv builds a real environment outside of the project."""

import json
import sys
from pathlib import Path

import pytest

from tests.commands import Run
from tests.trees import tree

PREFIX = "import sys; print(sys.prefix)"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")


@pytest.fixture(params=["made by uv init", "a package that is built"])
def some_project(request: pytest.FixtureRequest, run: Run, uv: Path, tmp_path: Path, local_package: Path) -> Path:
    if request.param == "a package that is built":
        return local_package
    done = run(uv, "init", "--no-workspace", "some-project", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path / "some-project"


def test_the_environment_is_outside_registered_and_used_by_every_command(
    run: Run, some_project: Path, home: Path
) -> None:
    def succeed(*command: str) -> str:
        done = run(*command, cwd=some_project)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout

    name = "greeting" if some_project.name == "greeting" else "some-project"
    for time in ("the first time", "and once more"):
        assert "next: uve sync" in succeed("prime-uve", "init")
        succeed("uve", "sync")
        assert not (some_project / ".venv").exists(), time
        (environment,) = (home / "prime-uve/venvs").iterdir()
        assert environment.name.startswith(f"{name}_")
        assert (environment / "pyvenv.cfg").is_file()
        assert succeed("uve", "run", "python", "-c", PREFIX) == f"{environment}\n"
        assert ("greeting" in succeed("uve", "pip", "list")) == (name == "greeting")
        assert Path(succeed("uve", "python", "find").strip()).parent.parent == environment
        (row,) = json.loads(succeed("prime-uve", "list", "--json"))
        assert (row["project"], row["status"], row["issues"]) == (str(some_project), "valid", [])
        assert row["venv_path_expanded"] == str(environment)
        (line,) = succeed("prime-uve", "list").splitlines()[1:]
        assert line.split("\t")[:3] == ["valid", str(some_project), row["venv_path"]]
        assert succeed("prime-uve", "check") == ".env.uve is right, and the registry agrees\n"
    if name == "greeting":
        assert succeed("uve", "run", "greet") == "hello\n"
    assert not (some_project / ".venv").exists()


def test_uv_warns_of_nothing(run: Run, local_package: Path) -> None:
    run("prime-uve", "init", cwd=local_package)
    for command in (["sync"], ["run", "greet"], ["pip", "list"], ["python", "find"], ["lock", "--check"]):
        done = run("uve", *command, cwd=local_package)
        assert done.returncode == 0, done.stderr
        assert "warning" not in done.stderr


def test_a_command_from_a_subfolder_or_elsewhere_uses_the_same_environment(
    run: Run, local_package: Path, tmp_path: Path, home: Path
) -> None:
    run("prime-uve", "init", "--sync", cwd=local_package)
    (local_package / "src").mkdir()
    before = tree(local_package)
    outputs = {
        run("uve", "run", "python", "-c", PREFIX, cwd=local_package / "src").stdout,
        run("uve", "run", "--project", local_package, "python", "-c", PREFIX, cwd=tmp_path).stdout,
        run("uve", "--directory", local_package, "run", "python", "-c", PREFIX, cwd=home).stdout,
    }
    (environment,) = (home / "prime-uve/venvs").iterdir()
    assert outputs == {f"{environment}\n"}
    assert tree(local_package) == before


def test_two_checkouts_do_not_share_an_environment(run: Run, local_package: Path, tmp_path: Path, home: Path) -> None:
    run("prime-uve", "init", "--sync", cwd=local_package)
    second = local_package.rename(tmp_path / "moved")
    local_package.mkdir()
    for path in second.iterdir():
        if path.is_file():
            (local_package / path.name).write_bytes(path.read_bytes())
    assert run("prime-uve", "init", "--sync", cwd=second).returncode == 0
    for project in (local_package, second):
        assert run("uve", "run", "python", "-c", PREFIX, cwd=project).returncode == 0
        assert not (project / ".venv").exists()
    assert len(list((home / "prime-uve/venvs").iterdir())) == 2
    rows = json.loads(run("prime-uve", "list", "--json", cwd=tmp_path).stdout)
    assert {row["project"]: row["status"] for row in rows} == {str(local_package): "valid", str(second): "valid"}


def test_an_environment_left_over_in_the_variables_of_a_shell_is_not_synced_into(
    run: Run, local_package: Path, tmp_path: Path, home: Path
) -> None:
    run("prime-uve", "init", cwd=local_package)
    other = tmp_path / "other"
    done = run("uve", "sync", cwd=local_package, env={"UV_PROJECT_ENVIRONMENT": str(other), "VIRTUAL_ENV": sys.prefix})
    assert done.returncode == 0, done.stderr
    assert not other.exists()
    assert len(list((home / "prime-uve/venvs").iterdir())) == 1
