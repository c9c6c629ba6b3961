"""Plans for giving a checkout its environment, and what carrying them out can meet."""

import os
import shutil
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.initialization import carry_out, plan
from prime_uve.core.paths import generate_venv_path
from prime_uve.core.registration import Outcome
from prime_uve.errors import CacheError, EnvFileError, MismatchError, RefusalError, UntrustedPathError
from tests.commands import Git
from tests.trees import tree

LINE = "UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo_1\n"


@pytest.fixture
def cache() -> Cache:
    return Cache()


def name(project: Path, value: str, *, file: str = ".env.uve") -> None:
    (project / file).write_text(f"UV_PROJECT_ENVIRONMENT={value}\n")


def test_a_plan_says_all_and_does_nothing(cache: Cache, repo: Path, home: Path) -> None:
    before = tree(repo, home)
    made = plan(cache, str(repo))
    path = generate_venv_path(repo)
    assert made.environment == path.replace("${HOME}", str(home))
    assert made.writes == {f"{repo}/.env.uve": f"UV_PROJECT_ENVIRONMENT={path}\n".encode()}
    assert (made.set_aside, made.replaced, made.notes) == ({}, [], [])
    assert made.registration is not None
    assert made.registration.outcome is Outcome.ADDED
    assert made.content(".env.uve") == made.writes[f"{repo}/.env.uve"]
    assert made.content(".env.uve.local") is None
    assert tree(repo, home) == before


def test_what_was_planned_is_carried_out_once(cache: Cache, project: Path) -> None:
    registration = carry_out(cache, plan(cache, str(project)))
    assert registration.outcome is Outcome.ADDED
    again = plan(cache, str(project))
    assert again.writes == {}
    assert carry_out(cache, again).outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("before", [None, LINE], ids=["there was no file", "there was one"])
def test_what_somebody_wrote_since_the_plan_is_not_replaced(cache: Cache, project: Path, before: str | None) -> None:
    path = project / ".env.uve"
    if before is not None:
        path.write_text(before)
    made = plan(cache, str(project), venv_dir=generate_venv_path(project).replace("demo", "other"), force=True)
    path.write_text(f"{LINE}TOKEN=new\n")
    with pytest.raises(EnvFileError, match="was changed in the meantime"):
        carry_out(cache, made)
    assert path.read_text() == f"{LINE}TOKEN=new\n"
    assert cache.list_all() == {}


@pytest.mark.parametrize("value", ["${HOME}/prime-uve/venvs/x", "${HOME}/prime-uve/venvs/deep/x"])
def test_a_good_file_of_a_colleague_is_kept(cache: Cache, project: Path, home: Path, value: str) -> None:
    name(project, value)
    made = plan(cache, str(project))
    assert made.writes == {}
    assert made.environment == value.replace("${HOME}", str(home))


def test_a_good_local_file_is_kept_too(cache: Cache, project: Path, tmp_path: Path) -> None:
    name(project, "${HOME}/prime-uve/venvs/x")
    name(project, f"{tmp_path}/mine", file=".env.uve.local")
    made = plan(cache, str(project))
    assert (made.writes, made.environment) == ({}, f"{tmp_path}/mine")


def test_force_names_what_is_replaced(cache: Cache, project: Path, home: Path) -> None:
    name(project, "${HOME}/prime-uve/venvs/x")
    made = plan(cache, str(project), force=True)
    assert made.replaced == [f"{home}/prime-uve/venvs/x"]
    assert list(made.writes) == [f"{project}/.env.uve"]


def test_the_wanted_environment_that_the_file_names_already_is_nothing_to_do(
    cache: Cache, project: Path, home: Path
) -> None:
    name(project, "${HOME}/prime-uve/venvs/x")
    made = plan(cache, str(project), venv_dir=f"{home}/prime-uve/venvs/x")
    assert (made.writes, made.replaced) == ({}, [])


def test_another_wanted_environment_is_refused_without_force(cache: Cache, project: Path, home: Path) -> None:
    name(project, "${HOME}/prime-uve/venvs/x")
    with pytest.raises(RefusalError, match=r"replace it: prime-uve init --force --venv-dir"):
        plan(cache, str(project), venv_dir=f"{home}/prime-uve/venvs/y")


def test_another_wanted_place_of_this_machine_is_refused_without_force(
    cache: Cache, project: Path, tmp_path: Path
) -> None:
    carry_out(cache, plan(cache, str(project), venv_dir=f"{tmp_path}/one"))
    with pytest.raises(RefusalError, match=r"\.env\.uve\.local' names"):
        plan(cache, str(project), venv_dir=f"{tmp_path}/two")
    made = plan(cache, str(project), venv_dir=f"{tmp_path}/two", force=True)
    assert made.environment == f"{tmp_path}/two"
    assert f"{tmp_path}/one" in made.replaced


def test_a_wanted_place_of_this_machine_leaves_what_everybody_reads(
    cache: Cache, project: Path, tmp_path: Path
) -> None:
    name(project, "${HOME}/prime-uve/venvs/x")
    made = plan(cache, str(project), venv_dir=f"{tmp_path}/mine", force=True)
    assert list(made.writes) == [f"{project}/.env.uve.local"]
    assert (made.replaced, made.environment) == ([], f"{tmp_path}/mine")


@pytest.mark.parametrize("force", [False, True], ids=["plainly", "by force"])
def test_a_wanted_environment_of_another_checkout_is_not_given(
    cache: Cache,
    project: Path,
    tmp_path: Path,
    force: bool,  # noqa: FBT001
) -> None:
    carry_out(cache, plan(cache, str(project), venv_dir=f"{tmp_path}/one"))
    other = tmp_path / "other"
    other.mkdir()
    (other / "pyproject.toml").touch()
    made = plan(cache, str(other), venv_dir=f"{tmp_path}/one", force=force)
    assert made.environment == generate_venv_path(other).replace("${HOME}", os.environ["HOME"])
    assert any("belongs to" in note for note in made.notes)


def test_registry_and_file_that_disagree_are_a_verdict(cache: Cache, project: Path) -> None:
    carry_out(cache, plan(cache, str(project)))
    (project / ".env.uve").write_text(LINE)
    with pytest.raises(MismatchError, match="prime-uve register --accept") as caught:
        plan(cache, str(project))
    assert caught.value.exit_code == 1


def test_a_file_that_has_gone_is_written_anew(cache: Cache, project: Path) -> None:
    (project / ".env.uve").write_text(LINE)
    carry_out(cache, plan(cache, str(project)))
    (project / ".env.uve").unlink()
    made = plan(cache, str(project))
    assert made.registration is not None
    assert (made.registration.outcome, made.registration.previous) == (
        Outcome.UPDATED,
        "${HOME}/prime-uve/venvs/demo_1",
    )


@pytest.mark.parametrize("content", [b"A=two words\n", b"\xff", b"UV_PROJECT_ENVIRONMENT=x\n"], ids=repr)
def test_a_local_file_that_cannot_be_used_is_an_error(cache: Cache, project: Path, content: bytes) -> None:
    (project / ".env.uve.local").write_bytes(content)
    with pytest.raises(EnvFileError, match=r"\.env\.uve\.local'"):
        plan(cache, str(project))


@pytest.mark.parametrize("place", ["venv", ".", ".."])
def test_a_wanted_place_in_or_around_the_project_is_refused(cache: Cache, project: Path, place: str) -> None:
    with pytest.raises(UntrustedPathError, match="inside its own project, or around it"):
        plan(cache, str(project), venv_dir=os.path.normpath(project / place), force=True)


def test_a_file_that_cannot_be_moved_away_stays(cache: Cache, project: Path) -> None:
    (project / ".env.uve").write_text("A=two words\n")
    made = plan(cache, str(project), force=True)
    made.set_aside[f"{project}/.env.uve"] = f"{project}/no/such/folder"
    before = tree(project)
    with pytest.raises(EnvFileError, match=r"cannot rename .*: No such file or directory; move it away yourself"):
        carry_out(cache, made)
    assert tree(project) == before


def test_the_name_for_what_is_set_aside_is_free(cache: Cache, project: Path) -> None:
    (project / ".env.uve").write_text("A=two words\n")
    (project / ".env.uve.rejected").symlink_to("nowhere")
    (project / ".env.uve.rejected-2").mkdir()
    made = plan(cache, str(project), force=True)
    assert made.set_aside == {f"{project}/.env.uve": f"{project}/.env.uve.rejected-3"}


def test_a_registry_that_cannot_be_written_is_told_when_the_file_is_there(
    cache: Cache, project: Path, home: Path
) -> None:
    made = plan(cache, str(project))
    (home / ".prime-uve").write_text("in the way")
    with pytest.raises(CacheError, match=r"\.prime-uve"):
        carry_out(cache, made)
    assert (project / ".env.uve").exists()


def test_the_local_file_is_kept_out_of_git_before_there_is_one(cache: Cache, repo: Path, git: Git) -> None:
    carry_out(cache, plan(cache, str(repo)))
    (repo / ".env.uve.local").touch()
    assert git(repo, "status", "--porcelain") == "?? .env.uve\n"


def test_a_checkout_whose_own_place_went_with_a_project_that_moved_gets_another(project: Path, tmp_path: Path) -> None:
    cache = Cache()
    carry_out(cache, plan(cache, str(project)))
    own = cache.get_mapping(project)
    moved = project.rename(tmp_path / "moved")
    carry_out(cache, plan(cache, str(moved)))
    shutil.copytree(moved, project)

    registration = carry_out(cache, plan(cache, str(project)))

    assert own is not None
    assert registration.venv_path == f"{own['venv_path']}-2"
    assert (project / ".env.uve.local").read_text() == f"UV_PROJECT_ENVIRONMENT={own['venv_path']}-2\n"
