"""What the doctor says about the checkout at hand, and about environments that nobody uses."""

import shutil
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.diagnosis.finding import Level
from prime_uve.core.diagnosis.upkeep import checkout_at, unused
from tests.core import checkouts
from tests.core.checkouts import ENVIRONMENT


@pytest.fixture
def project(project: Path) -> Path:
    """Return a project that is registered, and has its environment."""
    (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={ENVIRONMENT}\n")
    checkouts.make_environment()
    checkouts.add(Cache(), project)
    return project


def said(project: Path) -> list[tuple[Level, str]]:
    return [(finding.level, finding.message) for finding in checkout_at(Cache(), str(project))]


def test_a_checkout_that_is_valid_is_said_to_be(project: Path) -> None:
    (project / "src").mkdir()
    assert said(project / "src") == [(Level.OK, f"{str(project)!r} is valid")]


def test_each_issue_of_the_checkout_is_a_note(project: Path) -> None:
    (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/other\n")
    ((level, message),) = said(project)
    assert level is Level.NOTE
    assert "prime-uve register --accept" in message


def test_an_environment_that_was_left_in_the_project_is_a_note(project: Path) -> None:
    (project / ".venv").mkdir()
    assert len(said(project)) == 1, "it is no environment"
    (project / ".venv/pyvenv.cfg").touch()
    (_, (level, message)) = said(project)
    assert level is Level.NOTE
    assert f"'{project}/.venv' is an environment that uv made in the project" in message


def test_a_checkout_that_is_not_registered_is_a_note(project: Path) -> None:
    Cache().clear()
    assert said(project) == [(Level.NOTE, f"{str(project)!r} is not registered")]


def test_elsewhere_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert said(tmp_path) == []


def test_what_stands_in_the_way_of_a_look_is_a_note(project: Path) -> None:
    inner = project / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[project]\n")
    ((level, message),) = said(inner)
    assert level is Level.NOTE
    assert "is a project of its own without a .env.uve" in message


def test_environments_that_nobody_uses_are_counted(project: Path, home: Path) -> None:
    assert [finding.level for finding in unused(Cache())] == [Level.OK]
    (home / "prime-uve/venvs/stray").mkdir()
    (home / "prime-uve/venvs/stray/pyvenv.cfg").touch()
    shutil.rmtree(project)
    found = [(finding.level, finding.message, finding.remedy) for finding in unused(Cache())]
    assert found == [
        (
            Level.NOTE,
            "environments or mappings that no checkout uses any more: 1",
            "see them: prime-uve prune --orphan --dry-run",
        ),
        (
            Level.NOTE,
            "environments of which nothing says whose they are: 1",
            "see them: prime-uve prune --untracked --dry-run",
        ),
    ]


def test_of_a_registry_that_cannot_be_read_others_tell(project: Path) -> None:
    Cache().path.write_text('{"version": "9.0"}')
    assert list(unused(Cache())) == []
    (finding,) = checkout_at(Cache(), str(project))
    assert finding.level is Level.NOTE
