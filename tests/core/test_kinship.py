"""Are two checkouts of one project? The rest of the table is in tests/test_uve_trust.py."""

import shutil
from pathlib import Path

import pytest

from prime_uve.core.kinship import is_same_project
from tests.commands import Git


def test_two_folders_without_git_are_one_project_by_their_name(project: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(project, tmp_path / "copied"))
    assert is_same_project(str(project), str(copied))
    (copied / "pyproject.toml").write_text('[project]\nname = "another"\n')
    assert not is_same_project(str(project), str(copied))


def test_clones_of_one_folder_are_one_project_and_so_are_their_subfolders(repo: Path, tmp_path: Path, git: Git) -> None:
    for name in ("one", "two"):
        git(tmp_path, "clone", "--quiet", repo, name)
        (tmp_path / name / "sub").mkdir()
    assert is_same_project(str(tmp_path / "one/sub"), str(tmp_path / "two/sub"))
    assert is_same_project(str(repo), str(tmp_path / "two/sub"))


def test_two_repositories_that_share_nothing_are_two_projects(repo: Path, tmp_path: Path, git: Git) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    assert not is_same_project(str(repo), str(other)), "without any commit"
    (other / "pyproject.toml").write_text((repo / "pyproject.toml").read_text() + "\n")
    git(other, "add", ".")
    git(other, "commit", "--quiet", "--message", "Another")
    assert not is_same_project(str(repo), str(other))


def test_a_repository_that_git_does_not_read_is_another_project(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/.git").write_text("nonsense")
    assert not is_same_project(str(repo), str(tmp_path / "broken"))


def test_without_git_on_this_machine_the_name_decides(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = Path(shutil.copytree(repo, tmp_path / "copied"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert is_same_project(str(repo), str(copied))
