"""A hostile repository: what its files cannot make ``uve`` do. See docs/security.md."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prime_uve.core import marker
from tests import commands
from tests.commands import Git, Run
from tests.fake_uv import FakeUv
from tests.trees import tree

LINE = "UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/bank_1\n"


@pytest.fixture
def bank(repo: Path, home: Path, git: Git, run: Run, fake_uv: FakeUv) -> Path:
    """Return a registered project with an environment, the one that others are after."""
    (repo / ".env.uve").write_text(LINE)
    git(repo, "add", ".env.uve")
    git(repo, "commit", "--quiet", "--message", "Name an environment")
    environment = home / "prime-uve/venvs/bank_1"
    environment.mkdir(parents=True)
    (environment / "pyvenv.cfg").touch()
    assert run("uve", "sync", cwd=repo).returncode == 0
    assert len(fake_uv.calls) == 1
    return repo


@pytest.fixture
def clone(tmp_path: Path, git: Git) -> Path:
    """Return the clone of a repository from elsewhere that names the bank's environment."""
    source = tmp_path / "evil"
    source.mkdir()
    (source / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1"\n')
    (source / ".env.uve").write_text(LINE)
    git(source, "init", "--quiet")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "Looks good")
    git(tmp_path, "clone", "--quiet", source, tmp_path / "clone")
    return tmp_path / "clone"


class TestTheEnvironmentOfAnotherProject:
    @pytest.mark.parametrize("command", [["sync"], ["run", "x"], ["pip", "install", "x"], ["python", "find"]])
    def test_is_refused_to_a_repository_that_was_cloned_from_elsewhere(
        self, bank: Path, clone: Path, run: Run, fake_uv: FakeUv, command: list[str]
    ) -> None:
        done = run("uve", *command, cwd=clone)
        assert done.returncode == 2
        assert done.stderr == (
            f"uve: the environment '${{HOME}}/prime-uve/venvs/bank_1', which {str(clone)!r} names, belongs to another "
            f"project, {str(bank)!r}; give this one its own: prime-uve init {str(clone)!r}\n"
        )
        assert len(fake_uv.calls) == 1
        assert run("prime-uve", "init", cwd=clone).returncode == 0
        assert run("uve", "sync", cwd=clone).returncode == 0
        assert not fake_uv.calls[-1].env["VIRTUAL_ENV"].endswith("bank_1")

    def test_is_refused_to_what_has_the_name_and_the_history_of_the_project(
        self, bank: Path, tmp_path: Path, run: Run, git: Git, fake_uv: FakeUv
    ) -> None:
        """A fork, in the sense of a code host: whoever published it has not published the project."""
        git(bank, "remote", "add", "origin", "https://example.invalid/bank")
        fork = tmp_path / "fork"
        git(tmp_path, "clone", "--quiet", bank, fork)
        git(fork, "remote", "set-url", "origin", "https://example.invalid/fork")
        assert run("uve", "sync", cwd=fork).returncode == 2
        assert len(fake_uv.calls) == 1

    def test_is_refused_to_an_unpacked_archive_of_the_same_name(
        self, bank: Path, tmp_path: Path, run: Run, fake_uv: FakeUv
    ) -> None:
        unpacked = shutil.copytree(bank, tmp_path / "unpacked", ignore=shutil.ignore_patterns(".git"))
        assert run("uve", "sync", cwd=unpacked).returncode == 2
        assert len(fake_uv.calls) == 1

    def test_is_refused_by_its_marker_where_the_registry_is_lost(
        self, bank: Path, clone: Path, run: Run, home: Path, fake_uv: FakeUv
    ) -> None:
        assert marker.owner(str(home / "prime-uve/venvs/bank_1")) == str(bank)
        (home / ".prime-uve/cache.json").unlink()
        (home / ".prime-uve/cache.json").mkdir()
        done = run("uve", "sync", cwd=clone)
        assert (done.returncode, len(fake_uv.calls)) == (2, 1)
        assert f"belongs to another project, {str(bank)!r}" in done.stderr

    def test_is_refused_to_a_change_that_was_pulled(
        self, bank: Path, clone: Path, run: Run, git: Git, fake_uv: FakeUv
    ) -> None:
        evil = clone.with_name("evil")
        (evil / ".env.uve").write_text(LINE.replace("bank_1", "own_1"))
        git(evil, "commit", "--quiet", "--all", "--message", "Looks better")
        git(clone, "pull", "--quiet")
        assert run("uve", "sync", cwd=clone).returncode == 0
        git(evil, "revert", "--no-edit", "HEAD")
        git(clone, "pull", "--quiet")
        assert run("uve", "sync", cwd=clone).returncode == 2
        assert [Path(call.env["VIRTUAL_ENV"]).name for call in fake_uv.calls] == ["bank_1", "own_1"]
        assert bank.exists()

    @pytest.mark.parametrize("kind", ["a worktree", "a clone", "a clone of one place", "a copy"])
    def test_is_shared_with_a_warning_by_checkouts_of_one_project(
        self, bank: Path, tmp_path: Path, run: Run, git: Git, kind: str
    ) -> None:
        second = tmp_path / "second"
        if kind == "a copy":
            shutil.copytree(bank, second)
        elif kind == "a worktree":
            git(bank, "worktree", "add", "--quiet", second)
        else:
            git(tmp_path, "clone", "--quiet", bank, second)
        if kind == "a clone of one place":
            git(bank, "remote", "add", "origin", "https://example.invalid/bank")
            git(second, "remote", "set-url", "origin", "https://example.invalid/bank")
        done = run("uve", "sync", cwd=second)
        assert done.returncode == 0, done.stderr
        assert f"belongs to {str(bank)!r}, and {str(second)!r} names it, too" in done.stderr

    def test_is_found_out_about_under_a_hook_of_another_repository(
        self, bank: Path, clone: Path, run: Run, fake_uv: FakeUv
    ) -> None:
        hook = {"GIT_DIR": str(bank / ".git"), "GIT_WORK_TREE": str(bank)}
        assert run("uve", "sync", cwd=clone, env=hook).returncode == 2
        assert len(fake_uv.calls) == 1


@pytest.fixture
def hostile(project: Path) -> Path:
    """Return a project whose env file names a place of its own."""
    (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/evil_1\n")
    return project


def add(project: Path, *lines: str) -> None:
    with (project / ".env.uve").open("a") as stream:
        stream.writelines(f"{line}\n" for line in lines)


class TestVariables:
    @pytest.mark.parametrize(
        "args", [["--version"], ["help"], ["sync", "--help"], ["python", "list"], ["cache", "dir"]]
    )
    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the loader's complaint is that of glibc")
    def test_put_no_library_into_a_uv_that_runs_no_code_of_the_project(
        self, hostile: Path, run: Run, uv: Path, args: list[str]
    ) -> None:
        add(hostile, "LD_PRELOAD=/nowhere/evil.so", "LD_AUDIT=/nowhere/evil.so")
        preload = run(uv, "--version", cwd=hostile, env={"LD_PRELOAD": "/nowhere/evil.so"})
        if "evil.so" not in preload.stderr:
            pytest.skip("this uv takes no library")
        done = run("uve", *args, cwd=hostile)
        assert done.returncode == 0
        assert "evil.so" not in done.stderr

    def test_do_not_reach_what_works_on_the_account(self, hostile: Path, run: Run, fake_uv: FakeUv) -> None:
        add(hostile, "UV_INDEX=https://evil.invalid", "UV_INSTALLER_GITHUB_BASE_URL=https://evil.invalid", "A=1")
        for command in ("auth", "cache", "init", "python", "self", "tool"):
            assert run("uve", command, "x", cwd=hostile).returncode == 0
            given = fake_uv.calls[-1].env
            assert {"UV_INDEX", "UV_INSTALLER_GITHUB_BASE_URL", "A"}.isdisjoint(given)
            assert given.get("VIRTUAL_ENV", "").endswith("evil_1") == (command == "python")

    def test_do_not_say_what_uv_cache_clean_removes(self, hostile: Path, run: Run, home: Path) -> None:
        (home / "documents").mkdir()
        (home / "documents/thesis").write_text("three years")
        add(hostile, "UV_CACHE_DIR=${HOME}/documents")
        assert run("uve", "cache", "clean", cwd=hostile, env={"UV_CACHE_DIR": str(home / "cache")}).returncode == 0
        assert run("uve", "cache", "clean", cwd=hostile, env={"UV_CACHE_DIR": None}).returncode == 0
        assert (home / "documents/thesis").read_text() == "three years"

    def test_do_not_lead_uv_pip_to_another_python(self, hostile: Path, run: Run, uv: Path, home: Path) -> None:
        environment = home / "prime-uve/venvs/evil_1"
        assert run(uv, "venv", environment, cwd=hostile).returncode == 0
        add(hostile, "UV_SYSTEM_PYTHON=1", f"UV_PYTHON={sys.executable}", "UV_BREAK_SYSTEM_PACKAGES=1")
        done = run("uve", "pip", "list", cwd=hostile)
        assert (done.returncode, done.stdout) == (0, "")
        assert f"environment at: {environment}" in done.stderr

    def test_do_not_choose_the_uv_the_home_the_bases_or_the_registry(
        self, hostile: Path, run: Run, home: Path, fake_uv: FakeUv, tmp_path: Path
    ) -> None:
        evil = tmp_path / "evil"
        evil.mkdir()
        (evil / "uv").write_text(f"#!/bin/sh\ntouch {evil}/was-run\n")
        (evil / "uv").chmod(0o755)
        add(hostile, f"PATH={evil}", f"HOME={evil}", f"PRIME_UVE_VENVS={evil}", f"PRIME_UVE_CACHE={evil}/cache.json")
        assert run("uve", "sync", cwd=hostile).returncode == 0
        assert run("uve", "--version", cwd=hostile, env={"PATH": None}).stdout.startswith("uv ")
        assert os.listdir(evil) == ["uv"]
        assert fake_uv.calls[0].env["HOME"] == str(home)
        assert "PRIME_UVE_VENVS" not in fake_uv.calls[0].env
        assert (home / ".prime-uve/cache.json").is_file()


def test_nothing_is_written_but_the_registry_and_the_marker(
    hostile: Path, run: Run, home: Path, fake_uv: FakeUv, tmp_path: Path
) -> None:
    environment = home / "prime-uve/venvs/evil_1"
    environment.mkdir(parents=True)
    (environment / "pyvenv.cfg").touch()
    (tmp_path / "precious").write_text("precious")
    (environment / ".prime-uve.json").symlink_to(tmp_path / "precious")
    (environment / ".lock").symlink_to(tmp_path / "lock")
    before = tree(tmp_path)
    for args in (["sync"], ["run", "x"], ["pip", "list"], ["venv"], ["--version"], ["tool", "run", "x"]):
        assert run("uve", *args, cwd=hostile).returncode == 0
    assert tree(tmp_path) == before
    assert len(fake_uv.calls) == 6
    assert {path.name for path in home.iterdir()} == {".prime-uve", "prime-uve"}
    assert {path.name for path in environment.iterdir()} == {"pyvenv.cfg", ".prime-uve.json", ".lock"}
    assert {path.name for path in (home / ".prime-uve").iterdir()} <= {
        "cache.json", "cache.lock", "cache.json.last-good", "claims"
    }  # fmt: skip


class TestLocalFile:
    def test_that_is_committed_in_another_case_is_not_the_users_own(
        self, repo: Path, run: Run, git: Git, fake_uv: FakeUv, tmp_path: Path
    ) -> None:
        """On a file system that knows no difference, it is the file that ``uve`` reads."""
        (repo / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/evil_1\n")
        (repo / ".ENV.uve.local").touch()
        git(repo, "add", ".ENV.uve.local")
        (repo / ".ENV.uve.local").unlink()
        (repo / ".env.uve.local").write_text(f"UV_PROJECT_ENVIRONMENT={tmp_path}/elsewhere\n")
        done = run("uve", "sync", cwd=repo)
        assert (done.returncode, fake_uv.calls) == (2, [])
        assert "which is not inside" in done.stderr

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files to another user")
    def test_in_the_checkout_of_another_user_is_not_trusted(
        self, repo: Path, run: Run, fake_uv: FakeUv, tmp_path: Path
    ) -> None:
        (repo / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/evil_1\n")
        (repo / ".env.uve.local").write_text(f"UV_PROJECT_ENVIRONMENT={tmp_path}/elsewhere\n")
        subprocess.run(["chown", "-R", "1", repo], check=True)
        done = run(commands.SCRIPTS / "uve", "sync", cwd=repo)
        assert (done.returncode, fake_uv.calls) == (2, [])
        assert f"git -C '{repo}' status" in done.stderr
