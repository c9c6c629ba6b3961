"""Registry and env file disagree: what is said to mend it does, typed as it stands."""

import re
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from tests.commands import Git, Run
from tests.core.checkouts import ENVIRONMENT, add

LINE = f"UV_PROJECT_ENVIRONMENT={ENVIRONMENT}\n"
OTHER = LINE.replace("demo", "other")


@pytest.fixture
def registered(repo: Path, git: Git) -> Path:
    """Return a repository in which the env file that is registered was committed."""
    (repo / ".env.uve").write_text(LINE)
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "--message", "An env file")
    add(Cache(), repo)
    return repo


def remedy(project: Path, lead: str) -> str:
    """Return the command that `lead` announces in the one issue of a mismatch."""
    result = Cache().validate_mapping(project)
    assert result.status == "mismatch"
    found = re.search(rf"{lead}: (.+?)(, or |$)", result.issues[0])
    assert found is not None, result.issues
    return found[1]


def mend(project: Path, command: str, run: Run) -> None:
    """Insist that after the command the registry agrees again, and has what it had."""
    before = Cache().get_mapping(project)
    done = run("sh", "-c", command, cwd=project.parent)
    assert done.returncode == 0, done.stderr
    assert not Cache().validate_mapping(project).has_mismatch
    assert before is not None
    assert (Cache().get_mapping(project) or {})["venv_path"] == before["venv_path"]


def test_what_was_changed_since_the_commit_is_restored(registered: Path, run: Run) -> None:
    (registered / ".env.uve").write_text(OTHER)
    command = remedy(registered, "or restore it")
    assert command == f"git -C '{registered}' checkout HEAD -- .env.uve"
    mend(registered, command, run)


@pytest.mark.parametrize("kind", ["the commit has the new one", "there is no Git", "the commit has none"])
def test_what_git_does_not_have_is_written_again(registered: Path, git: Git, run: Run, kind: str) -> None:
    (registered / ".env.uve").write_text(OTHER)
    if kind == "the commit has the new one":
        git(registered, "commit", "--quiet", "--all", "--message", "Another")
    elif kind == "there is no Git":
        (registered / ".git").rename(registered.parent / "git")
    else:
        git(registered, "rm", "--quiet", "--cached", ".env.uve")
        git(registered, "commit", "--quiet", "--message", "None")
    mend(registered, f"{remedy(registered, 'or have it name that again')} --yes", run)  # at a terminal, it would ask


def test_the_new_one_is_accepted(registered: Path, run: Run) -> None:
    (registered / ".env.uve").write_text(OTHER)
    assert run("sh", "-c", remedy(registered, "accept the file"), cwd=registered).returncode == 0
    assert (Cache().get_mapping(registered) or {})["venv_path"] == ENVIRONMENT.replace("demo", "other")


def test_a_local_file_is_named_and_no_other_is_to_be_changed(registered: Path) -> None:
    local = registered / ".env.uve.local"
    local.write_text(OTHER)
    (issue, *_) = Cache().validate_mapping(registered).issues
    assert f"but its .env.uve.local names '{Path.home()}/prime-uve/venvs/other_0a1b2c3d'; accept the file: " in issue
    assert issue.endswith(f", or correct it: '{local}'")
