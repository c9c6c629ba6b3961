"""A mount that never answers: what lies on it is out of reach, all else is judged as ever, and every program ends."""

import json
import os
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from tests import hung_mount
from tests.commands import Git, Run
from tests.core import checkouts
from tests.core.checkouts import ENVIRONMENT, child, output
from tests.fake_uv import FakeUv

counts = pytest.mark.parametrize("count", [1, 40])


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """Return the folder that will hang."""
    folder = tmp_path / "hung mount"
    folder.mkdir()
    return folder


def put_on(mount: Path, count: int, venv_path: str) -> None:
    """Register projects on the mount, all with one environment."""
    rows = {
        str(mount / f"p{number}"): {"venv_path": venv_path, "mount": str(mount), "parent_inode": 1}
        for number in range(count)
    }
    Cache().edit(lambda present: present.update(rows))


VALIDATE = """
import json, sys
from dataclasses import asdict
from prime_uve.core.cache import Cache
results = Cache().validate_all(timeout=0.5)
print(json.dumps({project: asdict(result) for project, result in results.items()}))
"""


@counts
def test_projects_on_it_are_errors_and_the_others_are_what_they_are(tmp_path: Path, mount: Path, count: int) -> None:
    prefix = hung_mount.prefix(mount)
    environment = checkouts.make_environment()
    well, orphaned, elsewhere = (checkouts.make(tmp_path / name) for name in ("well", "orphaned", "elsewhere"))
    checkouts.add(Cache(), well)
    checkouts.add(Cache(), orphaned, "${HOME}/prime-uve/venvs/none_00000000")
    (orphaned / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/none_00000000\n")
    checkouts.add(Cache(), elsewhere, str(mount / "environment"))
    (elsewhere / ".env.uve.local").write_text(f"UV_PROJECT_ENVIRONMENT='{mount}/environment'\n")
    put_on(mount, count, ENVIRONMENT)

    results = json.loads(output(child(VALIDATE, cwd=tmp_path, prefix=prefix)))

    silent = f"is out of reach: '{mount}' has not answered for 0.5 s; connect it again, or, if it is gone for good"
    assert results.pop(str(well)) == {"status": "valid", "issues": []}
    assert results.pop(str(orphaned))["status"] == "orphaned"
    assert results.pop(str(elsewhere)) == {
        "status": "error",
        "issues": [f"'{mount}/environment' {silent}, forget it: prime-uve unregister '{elsewhere}'"],
    }
    assert results == {
        str(mount / f"p{number}"): {
            "status": "error",
            "issues": [f"'{mount}/p{number}' {silent}, forget it: prime-uve unregister '{mount}/p{number}'"],
        }
        for number in range(count)
    }
    assert (environment / ".prime-uve.json").exists(), "what is well is marked"


@counts
def test_list_shows_all(tmp_path: Path, mount: Path, count: int, run: Run) -> None:
    prefix = hung_mount.prefix(mount)
    checkouts.make_environment()
    checkouts.add(Cache(), checkouts.make(tmp_path / "well"))
    put_on(mount, count, ENVIRONMENT)
    done = run(*prefix, "prime-uve", "list", "--json", cwd=tmp_path)
    assert done.stderr == ""
    statuses = [row["status"] for row in json.loads(done.stdout)]
    assert sorted(statuses) == ["error"] * count + ["valid"]


@counts
def test_who_shares_an_environment_with_projects_on_it_is_told(
    mount: Path, repo: Path, count: int, run: Run, git: Git
) -> None:
    prefix = hung_mount.prefix(mount)
    (repo / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={ENVIRONMENT}\n")
    git(repo, "add", ".")
    put_on(mount, count, ENVIRONMENT)
    done = run(*prefix, "prime-uve", "check", cwd=repo)
    assert (done.returncode, done.stdout) == (0, ".env.uve is right\n"), done.stderr
    assert f"belongs to '{mount}/p0', and '{repo}' names it, too" in done.stderr


@counts
def test_nothing_that_may_live_there_is_taken(mount: Path, project: Path, count: int, run: Run) -> None:
    prefix = hung_mount.prefix(mount)
    (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={ENVIRONMENT}\n")
    put_on(mount, count, ENVIRONMENT)
    done = run(*prefix, "prime-uve", "register", cwd=project)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert f"belongs to '{mount}/p0', and '{project}' names it, too" in done.stderr
    assert Cache().get_mapping(project) is None
    assert len(Cache().list_all()) == count


def test_uve_runs_uv(mount: Path, project: Path, run: Run, fake_uv: FakeUv) -> None:
    prefix = hung_mount.prefix(mount)
    (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={ENVIRONMENT}\n")
    put_on(mount, 40, ENVIRONMENT)
    done = run(*prefix, "uve", "sync", cwd=project)
    assert done.returncode == 0, done.stderr
    assert f"belongs to '{mount}/p0'" in done.stderr
    assert fake_uv.call.argv == ["sync"]


def test_a_checkout_that_a_marker_names_may_live_there(mount: Path, project: Path, run: Run) -> None:
    prefix = hung_mount.prefix(mount)
    (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={ENVIRONMENT}\n")
    marker = {"version": "1.0", "project": str(mount / "p0")}
    (checkouts.make_environment() / ".prime-uve.json").write_text(json.dumps(marker))
    done = run(*prefix, "prime-uve", "register", cwd=project)
    assert done.returncode == 1, done.stdout
    assert f"belongs to '{mount}/p0'" in done.stderr


def test_what_is_gone_for_good_can_be_forgotten(tmp_path: Path, mount: Path, run: Run) -> None:
    prefix = hung_mount.prefix(mount)
    put_on(mount, 2, ENVIRONMENT)
    done = run(*prefix, "prime-uve", "unregister", os.fspath(mount / "p0"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(Cache().list_all()) == [str(mount / "p1")]
