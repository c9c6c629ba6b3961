"""``prime-uve doctor``."""

import json
from pathlib import Path

import pytest

from tests.commands import SCRIPTS, Run
from tests.privileges import unprivileged
from tests.terminal import INTERRUPT, converse


@pytest.fixture
def registered(project: Path, run: Run) -> Path:
    assert run("prime-uve", "init", cwd=project).returncode == 0
    return project


def damage(home: Path, size: int = 60) -> None:
    path = home / ".prime-uve/cache.json"
    path.write_bytes(path.read_bytes()[:size])


def test_a_good_machine_is_told_line_by_line_and_exits_0(registered: Path, run: Run) -> None:
    done = run("prime-uve", "doctor", cwd=registered)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok       registry: " in done.stdout


def test_a_problem_exits_1_and_names_its_remedy(registered: Path, run: Run, home: Path) -> None:
    (home / ".prime-uve/cache.json").chmod(0o644)
    done = run("prime-uve", "doctor", cwd=registered)
    assert done.returncode == 1
    assert "problem  permissions: " in done.stdout
    assert "chmod 600" in done.stdout


def test_a_home_that_is_read_only_is_a_problem(project: Path, run: Run, home: Path) -> None:
    home.chmod(0o500)
    done = run(*unprivileged(), SCRIPTS / "prime-uve", "doctor", cwd=project)
    assert done.returncode == 1
    for what in ("the registry", "a new environment"):
        assert f"problem  permissions: {what} cannot be written: {str(home)!r} is read-only; " in done.stdout


def test_the_document_has_these_keys(registered: Path, run: Run) -> None:
    document = json.loads(run("prime-uve", "doctor", "--json", cwd=registered).stdout)
    assert set(document) == {"ok", "findings"}
    assert document["ok"] is True
    assert all(set(finding) == {"level", "subject", "message", "remedy"} for finding in document["findings"])


def test_damage_counts_as_unseen_until_the_doctor_has_told_it(registered: Path, run: Run, home: Path) -> None:
    from prime_uve.core.cache import Cache

    damage(home)
    Cache().migrate_if_needed()  # as every write does
    assert len(Cache().unseen_damage()) == 1
    assert run("prime-uve", "doctor", cwd=registered).returncode == 1
    assert Cache().unseen_damage() == []


def test_new_damage_is_unseen_again(registered: Path, run: Run, home: Path) -> None:
    from prime_uve.core.cache import Cache

    for size in (60, 61):
        damage(home, size)
        Cache().migrate_if_needed()
        assert len(Cache().unseen_damage()) == 1
        run("prime-uve", "doctor", cwd=registered)
        assert Cache().unseen_damage() == []


def test_rebuilding_without_a_terminal_shows_the_rows_and_needs_yes(registered: Path, run: Run, home: Path) -> None:
    registry = home / ".prime-uve/cache.json"
    registry.unlink()
    done = run("prime-uve", "doctor", "--rebuild", registered.parent, cwd=registered)
    assert done.returncode == 2
    assert f"added    {registered}" in done.stdout
    assert done.stderr.endswith("this would write 1 row, and there is nobody to ask; if that is right, add --yes\n")
    assert not registry.exists()


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        pytest.param("n\n", 1, "nothing was changed", id="no"),
        pytest.param(INTERRUPT, 130, "interrupted; nothing more was done", id="Ctrl-C"),
    ],
)
def test_rebuilding_writes_nothing_at_anything_but_a_yes(
    registered: Path, home: Path, answer: str, code: int, said: str
) -> None:
    registry = home / ".prime-uve/cache.json"
    registry.unlink()
    words = ("prime-uve", "doctor", "--rebuild", ".")
    found, output = converse(*words, cwd=registered, prompt="[y/N]", answer=answer)
    assert found == code
    assert output.endswith(f"prime-uve: {said}\r\n")
    assert not registry.exists()


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [("y\n", 0, "wrote 1 rows"), ("n\n", 1, "nothing was changed"), (INTERRUPT, 130, "interrupted")],
    ids=["yes", "no", "ctrl-c"],
)
def test_rebuilding_at_a_terminal_asks(registered: Path, home: Path, answer: str, code: int, said: str) -> None:
    registry = home / ".prime-uve/cache.json"
    registry.unlink()
    rebuild = ("prime-uve", "doctor", "--rebuild", str(registered.parent))
    found, output = converse(*rebuild, cwd=registered, prompt="[y/N]", answer=answer)
    assert found == code, output
    assert said in output
    assert registry.exists() == (code == 0)


def test_rebuilding_brings_the_mapping_back(registered: Path, run: Run, home: Path) -> None:
    before = run("prime-uve", "list", "--json", cwd=registered).stdout
    (home / ".prime-uve/cache.json").unlink()
    done = run("prime-uve", "doctor", "--rebuild", "--yes", registered.parent, cwd=registered)
    assert (done.returncode, done.stderr) == (0, "")
    after = run("prime-uve", "list", "--json", cwd=registered).stdout
    assert [(row["project"], row["venv_path"]) for row in json.loads(after)] == [
        (row["project"], row["venv_path"]) for row in json.loads(before)
    ]


def test_what_could_not_be_registered_is_told_and_exits_1(registered: Path, run: Run) -> None:
    (registered / "broken").mkdir()
    (registered / "broken/.env.uve").write_text("UV_PROJECT_ENVIRONMENT=two words\n")
    done = run("prime-uve", "doctor", "--rebuild", "--yes", "--json", registered, cwd=registered)
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["registered"] == []
    assert [trouble for trouble in document["troubles"] if "broken" in trouble]


def test_roots_without_rebuild_are_refused(registered: Path, run: Run) -> None:
    done = run("prime-uve", "doctor", ".", cwd=registered)
    assert done.returncode == 2
    assert "--rebuild" in done.stderr
