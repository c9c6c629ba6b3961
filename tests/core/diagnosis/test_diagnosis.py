"""What `diagnose` finds: each subject once as it should be, and once in need of a person."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.diagnosis import diagnose
from prime_uve.core.diagnosis.finding import Finding, Level
from tests.commands import Run
from tests.fake_uv import FakeUv

SHARED_MEMORY = "/dev/shm"  # noqa: S108  # a second file system, on which nothing is written
HOLDER = """
import sys, filelock
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def cache(home: Path) -> Cache:
    cache = Cache()
    cache.add_mapping(home / "p", "${HOME}/prime-uve/venvs/p_1", "p", "1")
    return cache


def found(cache: Cache, folder: Path, subject: str) -> list[Finding]:
    return [finding for finding in diagnose(cache, str(folder)) if finding.subject == subject]


def levels(cache: Cache, folder: Path, subject: str) -> set[Level]:
    return {finding.level for finding in found(cache, folder, subject)}


def test_a_good_machine_has_no_problem(cache: Cache, repo: Path) -> None:
    findings = diagnose(cache, str(repo))
    assert [finding for finding in findings if finding.level is Level.PROBLEM] == []
    assert {"registry", "lock", "file system", "uv", "uve", "hard links", "hooks"} <= {f.subject for f in findings}


def test_a_registry_that_is_not_there_yet_is_no_problem_and_is_not_made(home: Path, tmp_path: Path) -> None:
    findings = diagnose(Cache(), str(tmp_path))
    assert {finding.level for finding in findings if finding.subject in ("registry", "lock")} == {Level.OK}
    assert not (home / ".prime-uve").exists()


def test_a_registry_that_cannot_be_read_is_a_problem(cache: Cache, tmp_path: Path) -> None:
    cache.path.write_text('{"version": "99.0", "venvs": {}}')
    (finding,) = found(cache, tmp_path, "registry")
    assert finding.level is Level.PROBLEM
    assert "upgrade prime-uve" in finding.message


def test_each_damaged_copy_is_a_problem_with_its_remedy(cache: Cache, tmp_path: Path) -> None:
    cache.path.write_bytes(cache.path.read_bytes()[:-40])
    cache.migrate_if_needed()
    (copy,) = cache.damaged_copies()
    (finding,) = found(cache, tmp_path, "damage")
    assert finding.level is Level.PROBLEM
    assert str(copy) in finding.message
    assert "prime-uve doctor --rebuild" in finding.remedy


def test_damage_that_is_still_in_its_place_is_a_problem(cache: Cache, tmp_path: Path) -> None:
    cache.path.write_bytes(cache.path.read_bytes()[:-10])
    (finding,) = found(cache, tmp_path, "damage")
    assert finding.level is Level.PROBLEM
    assert f"'{cache.path}' is damaged (it is not valid JSON" in finding.message
    assert "prime-uve doctor --rebuild" in finding.remedy


def test_a_held_lock_is_a_problem_that_names_the_file(cache: Cache, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(cache.lock_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        (finding,) = found(cache, tmp_path, "lock")
        holder.communicate()
    assert finding.level is Level.PROBLEM
    assert str(cache.lock_path) in finding.message


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        pytest.param(".prime-uve", 0o755, id="the folder"),
        pytest.param(".prime-uve/cache.json", 0o644, id="the registry"),
        pytest.param(".prime-uve/cache.lock", 0o666, id="the lock"),
    ],
)
def test_what_is_open_to_others_is_a_problem(cache: Cache, home: Path, tmp_path: Path, name: str, mode: int) -> None:
    (home / name).chmod(mode)
    (finding,) = found(cache, tmp_path, "permissions")
    assert finding.level is Level.PROBLEM
    assert f"chmod {0o700 if name == '.prime-uve' else 0o600:o}" in finding.remedy


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_registry_of_another_user_is_a_problem(cache: Cache, tmp_path: Path) -> None:
    os.chown(cache.path, 65534, -1)
    (finding,) = found(cache, tmp_path, "permissions")
    assert finding.level is Level.PROBLEM
    assert "uid 65534" in finding.message


def fake_uv_saying(folder: Path, script: str) -> str:
    folder.mkdir()
    (folder / "uv").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "uv").chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("script", "level"),
    [
        pytest.param("echo uv 0.13.9 '(x 2026-01-01)'", Level.OK, id="a new one"),
        pytest.param("echo uv 0.4.3", Level.PROBLEM, id="one without project environments"),
        pytest.param("echo hello", Level.PROBLEM, id="one that does not say its version"),
        pytest.param("exit 1", Level.PROBLEM, id="one that fails"),
    ],
)
def test_uv_is_judged_by_its_version(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, level: Level
) -> None:
    monkeypatch.setenv("PATH", fake_uv_saying(tmp_path / "bin", script), prepend=os.pathsep)
    assert levels(cache, tmp_path, "uv") == {level}


def test_another_uve_earlier_on_path_is_a_problem(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "earlier"
    folder.mkdir()
    (folder / "uve").write_text("#!/bin/sh\n")
    (folder / "uve").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    (finding,) = found(cache, tmp_path, "uve")
    assert finding.level is Level.PROBLEM
    assert str(folder / "uve") in finding.message


def test_no_uve_on_path_is_a_note(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert levels(cache, tmp_path, "uve") == {Level.NOTE}


@pytest.mark.skipif(not os.path.isdir(SHARED_MEMORY), reason="there is no second file system to put the cache on")
def test_a_uv_cache_on_another_disk_is_a_note(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.stat(SHARED_MEMORY).st_dev == tmp_path.stat().st_dev:
        pytest.skip("the temporary folder is in shared memory, too")
    monkeypatch.setenv("UV_CACHE_DIR", SHARED_MEMORY)
    assert levels(cache, tmp_path, "hard links") == {Level.NOTE}


def test_a_base_below_a_network_mount_is_a_note(cache: Cache, tmp_path: Path, fake_uv: FakeUv) -> None:
    # The table of mounts is the system's; a file system of the kind cannot be had here, its name can.
    from prime_uve.core.diagnosis import NETWORK_FILE_SYSTEMS

    assert {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"} <= NETWORK_FILE_SYSTEMS
    assert {finding.level for finding in found(cache, tmp_path, "file system")} == {Level.OK}
    assert all(call.argv in (["--version"], ["cache", "dir"]) for call in fake_uv.calls)


def test_hooks_are_found_and_what_is_missing_is_a_note_with_its_remedy(cache: Cache, repo: Path, run: Run) -> None:
    (note,) = found(cache, repo, "hooks")
    assert (note.level, note.remedy) == (Level.NOTE, f"prime-uve hook install '{repo}'")
    assert "no prime-uve hook for pre-commit, pre-merge-commit, post-checkout" in note.message
    assert run("prime-uve", "hook", "install", cwd=repo).returncode == 0
    assert levels(cache, repo, "hooks") == {Level.OK}


def test_hooks_that_cannot_be_looked_for_are_a_problem(
    cache: Cache, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = found(cache, repo, "hooks")
    assert (problem.level, problem.message) == (Level.PROBLEM, "git is not on PATH; install Git")
