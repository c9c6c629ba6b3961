"""Which checkouts belong to one repository, as real Git has made them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve.core.repository import Repositories
from tests.commands import Git


def same(git: Git, folder: Path) -> str:
    return os.path.realpath(git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir").removesuffix("\n"))


def test_worktrees_share_the_repository_and_clones_do_not(repo: Path, tmp_path: Path, git: Git) -> None:
    git(repo, "worktree", "add", "--quiet", "--detach", tmp_path / "tree größe")
    git(tmp_path, "clone", "--quiet", repo, tmp_path / "clone")
    places = [repo, tmp_path / "tree größe", tmp_path / "clone"]
    found = [Repositories().of(str(place)) for place in places]
    assert found == [same(git, place) for place in places]
    assert found[0] == found[1] != found[2]


def test_a_folder_belongs_to_the_checkout_around_it(repo: Path, git: Git) -> None:
    inner = repo / "packages/one"
    inner.mkdir(parents=True)
    repositories = Repositories()
    assert repositories.of(str(inner)) == repositories.of(str(inner.parent)) == same(git, inner)
    assert repositories.of(str(repo.parent)) is None
    assert repositories.of(str(inner / "gone/since/long")) == same(git, repo)


def test_a_submodule_has_a_repository_of_its_own(repo: Path, tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "--quiet", "outer")
    git(tmp_path / "outer", "submodule", "--quiet", "add", str(repo), "inner")
    found = Repositories().of(str(tmp_path / "outer/inner"))
    assert found == same(git, tmp_path / "outer/inner")
    assert found != Repositories().of(str(tmp_path / "outer"))


def test_a_repository_may_lie_apart(project: Path, tmp_path: Path, git: Git) -> None:
    git(project, "init", "--quiet", "--separate-git-dir", tmp_path / "apart")
    assert Repositories().of(str(project)) == same(git, project) == str(tmp_path / "apart")
    (project / ".git").unlink()
    (project / ".git").symlink_to(tmp_path / "apart")
    assert Repositories().of(str(project)) == str(tmp_path / "apart")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(Path.touch, id="an empty file"),
        pytest.param(lambda path: path.write_bytes(b"gitdir: \xff\n"), id="a folder that is not there"),
        pytest.param(lambda path: path.write_bytes(b"x" * (1 << 17)), id="a large file"),
        pytest.param(os.mkfifo, id="a pipe"),
        pytest.param(lambda path: path.symlink_to("nowhere"), id="a broken link"),
        pytest.param(lambda path: path.symlink_to(path.name), id="a loop"),
        pytest.param(lambda path: path.write_bytes(b"gitdir: \0\n"), id="no path"),
    ],
)
def test_what_git_has_not_made_is_a_repository_alone(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / ".git")
    found = Repositories().of(str(tmp_path))
    assert found is not None
    assert found.startswith(str(tmp_path))


@pytest.mark.parametrize("folder", ["/", "/nowhere/at/all", "/\0", "/a" * 1500], ids=["root", "none", "NUL", "deep"])
def test_outside_of_a_checkout_there_is_none(folder: str) -> None:
    assert Repositories().of(folder) is None


def test_many_folders_below_one_are_looked_at_once_each(tmp_path: Path, repo: Path, git: Git) -> None:
    repositories = Repositories()
    assert repositories.of(str(repo / "a")) == same(git, repo)
    (repo / ".git").rename(tmp_path / "elsewhere")
    assert repositories.of(str(repo / "b")) == f"{repo}/.git", "as it was found before"
