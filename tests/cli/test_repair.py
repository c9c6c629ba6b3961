"""``prime-uve repair``: a project that was moved keeps its mapping and its environment."""

import json
import os
import shutil
from pathlib import Path

import pytest

from prime_uve.core import marker
from prime_uve.core.cache import Cache
from prime_uve.core.paths import expand
from tests import terminal
from tests.commands import Git, Run
from tests.staging import NEW, OLD, registered, write
from tests.trees import tree


@pytest.fixture
def known(project: Path) -> Path:
    """Return a registered project that has its environment."""
    write(project, OLD)
    environment = Path(expand(OLD))
    environment.mkdir(parents=True)
    (environment / "pyvenv.cfg").touch()
    Cache().add_mapping(project, OLD, "demo", "00000000")
    marker.mark(str(environment), str(project))
    return project


def test_a_moved_project_keeps_mapping_and_environment(call: Run, known: Path) -> None:
    created = Cache().list_all()[str(known)]["created_at"]
    moved = known.rename(known.with_name("moved"))

    done = call("prime-uve", "repair", moved, cwd=known.parent)

    assert (done.returncode, done.stderr) == (0, "")
    said = f"{str(known)!r} has moved to {str(moved)!r}: its environment {OLD!r} goes with it\n"
    assert done.stdout.startswith(said)
    assert f"uve sync --project {str(moved)!r}" in done.stdout
    assert registered() == {str(moved): OLD}
    assert Cache().list_all()[str(moved)]["created_at"] == created
    assert marker.owner(expand(OLD)) == str(moved)


def test_what_is_right_is_left_byte_for_byte(call: Run, known: Path, home: Path) -> None:
    before = tree(home)
    done = call("prime-uve", "repair", cwd=known)
    assert (done.returncode, done.stdout) == (0, f"{str(known)!r} is registered with {OLD!r}\n")
    assert tree(home) == before


def test_a_lost_marker_is_written_again(call: Run, known: Path) -> None:
    (Path(expand(OLD)) / marker.NAME).unlink()
    assert call("prime-uve", "repair", cwd=known).returncode == 0
    assert marker.owner(expand(OLD)) == str(known)


def test_what_a_living_checkout_has_is_not_taken(call: Run, known: Path) -> None:
    copy = shutil.copytree(known, known.with_name("copy"))
    done = call("prime-uve", "repair", "--yes", copy, cwd=known)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{OLD!r} belongs to {str(known)!r}" in done.stderr
    assert registered() == {str(known): OLD}


def test_another_path_in_the_file_is_a_mismatch(call: Run, known: Path) -> None:
    write(known, NEW)
    done = call("prime-uve", "repair", cwd=known)
    assert (done.returncode, "prime-uve register --accept" in done.stderr) == (1, True)
    assert registered() == {str(known): OLD}


class TestWhereNothingWitnessesTheMove:
    """The folder that held the project has moved along with it."""

    @pytest.fixture
    def moved(self, tmp_path: Path, known: Path) -> Path:
        (tmp_path / "outer").mkdir()
        inner = known.rename(tmp_path / "outer/inner")
        Cache().clear()
        Cache().add_mapping(inner, OLD, "demo", "00000000")
        marker.mark(expand(OLD), str(inner))
        (tmp_path / "outer").rename(tmp_path / "elsewhere")
        return tmp_path / "elsewhere/inner"

    def test_without_a_terminal_it_asks_for_a_word(self, run: Run, moved: Path) -> None:
        before = registered()
        done = run("prime-uve", "repair", cwd=moved)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"prime-uve repair --yes {str(moved)!r}" in done.stderr
        assert registered() == before

    def test_with_the_word_the_mapping_follows(self, call: Run, moved: Path) -> None:
        done = call("prime-uve", "repair", "--yes", "--json", cwd=moved)
        assert done.returncode == 0
        document = json.loads(done.stdout)
        assert (document["outcome"], document["project"], document["made_at"]) == ("moved", str(moved), None)
        assert registered() == {str(moved): OLD}

    @pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
    def test_at_a_terminal_it_asks(self, moved: Path, answer: str, code: int) -> None:
        before = registered()
        done, said = terminal.converse("prime-uve", "repair", cwd=moved, prompt="Has it moved", answer=f"{answer}\n")
        assert done == code, said
        assert registered() == ({str(moved): OLD} if answer == "y" else before)


def test_a_mapping_that_would_not_know_its_project_gone_learns_to(call: Run, known: Path) -> None:
    Cache().edit(lambda rows: rows[str(known)].update(parent_inode=1))
    assert call("prime-uve", "repair", cwd=known).returncode == 0
    shutil.rmtree(known)
    assert Cache().validate_mapping(known).is_orphaned


def test_a_project_without_an_env_file_is_told_what_to_do(call: Run, project: Path) -> None:
    done = call("prime-uve", "repair", cwd=project)
    assert (done.returncode, "prime-uve init" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("script", "remedies"),
    [
        ("VIRTUAL_ENV='/elsewhere/demo'\n", 1),
        ('x\nexport VIRTUAL_ENV="/elsewhere/demo"\n', 1),
        ("VIRTUAL_ENV='{here}'\n", 0),
        ("VIRTUAL_ENV=/elsewhere/demo\n", 1),
        ('VIRTUAL_ENV="$(cd .. && pwd)"\n', 0),
        ("echo nothing\n", 0),
    ],
    ids=["by uv", "by venv", "right", "without quotes", "relocatable", "another script"],
)
def test_an_environment_that_was_moved_is_told_how_to_mend_its_scripts(
    call: Run, known: Path, script: str, remedies: int
) -> None:
    activate = Path(expand(OLD)) / "bin/activate"
    activate.parent.mkdir()
    activate.write_text(script.format(here=expand(OLD)))
    done = call("prime-uve", "repair", cwd=known)
    assert done.returncode == 0
    remedy = f"uve venv --allow-existing --project {str(known)!r} && uve sync --reinstall --project {str(known)!r}"
    assert done.stderr.count(remedy) == remedies


def test_the_command_that_is_named_mends_what_a_real_move_broke(
    local_package: Path, run: Run, git: Git, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home that is renamed takes its environments along; a project that moves leaves its editable install behind."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    git(local_package, "init", "--quiet")
    assert run("prime-uve", "init", "--sync", cwd=local_package).returncode == 0
    new_home = home.rename(home.with_name(f"{home.name}-renamed"))
    monkeypatch.setenv("HOME", str(new_home))
    moved = local_package.rename(local_package.with_name("moved"))
    (environment,) = (new_home / "prime-uve/venvs").iterdir()

    done = run("prime-uve", "repair", cwd=moved)

    assert done.returncode == 0, done.stderr
    remedy = done.stderr.partition("make them anew: ")[2].strip()
    mended = run("sh", "-c", remedy, cwd=home.parent)
    assert mended.returncode == 0, mended.stderr
    again = run("prime-uve", "repair", cwd=moved)
    assert (again.returncode, again.stderr) == (0, "")
    assert (environment / "bin/greet").read_text().startswith(f"#!{environment}/bin/")
    said = run(str(environment / "bin/greet"), cwd=home.parent, env={"PATH": os.defpath})
    assert (said.returncode, said.stdout) == (0, "hello\n")
    assert ".venv" not in tree(moved)
