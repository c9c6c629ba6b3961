"""Deleting environments: what should go goes, and nothing else, whatever is put in the way."""

import errno
import fcntl
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from prime_uve.core import marker
from prime_uve.core.cache import Cache
from prime_uve.core.inventory import Claim, take_inventory
from prime_uve.core.paths import TRASH
from prime_uve.core.removal import Choice, Plan, Report, execute, plan
from prime_uve.errors import CacheError, RefusalError
from tests.core import checkouts, writers
from tests.core.prunable import CONTENT, Ground
from tests.privileges import unprivileged
from tests.trees import tree

ORPHAN = Choice(orphan=True)
ALL = Choice(everything=True)


@pytest.fixture
def ground(home: Path, tmp_path: Path) -> Ground:
    return Ground(home / "prime-uve" / "venvs", tmp_path.resolve() / "projects")


def prune(choice: Choice = ORPHAN) -> tuple[Plan, Report]:
    """Plan and act, as a person who says yes."""
    planned = plan(Cache(), choice)
    return planned, execute(Cache(), planned)


def whys(planned: Plan, report: Report | None = None) -> str:
    return "\n".join(map(str, (*planned.refusals, *(report.refusals if report else ()))))


# What goes


def test_an_orphan_goes_with_its_mapping_and_the_living_stay(ground: Ground) -> None:
    orphan = ground.orphan("orphan")
    living = ground.registered("living")
    before = tree(ground.base / "living", living)
    planned, report = prune()
    assert [target.environment.path for target in planned.targets] == [str(orphan)]
    assert (report.is_complete, report.swept) == (True, 0)
    assert report.freed == planned.freed >= len(CONTENT)
    assert not orphan.exists()
    assert tree(ground.base / "living", living) == before
    assert (ground.mappings(), ground.trash()) == ({"living"}, [])


@pytest.mark.parametrize("choice", [ALL, Choice(untracked=True)], ids=["all", "untracked"])
def test_a_base_that_ends_with_slashes_is_the_same_base(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, choice: Choice
) -> None:
    ground.registered("living")
    (ground.base / "living" / marker.NAME).unlink()
    monkeypatch.setenv("PRIME_UVE_VENVS", f"{ground.base}///")
    (environment,) = take_inventory(Cache()).environments
    assert [checkout.claim for checkout in environment.checkouts] == [Claim.LIVING]
    assert len(prune(choice)[0].targets) == (choice is ALL)


def test_planning_deletes_and_writes_nothing(ground: Ground, home: Path) -> None:
    ground.orphan("orphan")
    before = tree(home)
    assert plan(Cache(), ORPHAN).targets
    assert tree(home) == before


def test_of_an_environment_that_is_not_there_the_mapping_goes(ground: Ground) -> None:
    shutil.rmtree(ground.orphan("orphan"))
    shutil.rmtree(ground.base / "to-be-synced", ignore_errors=True)
    ground.registered("to-be-synced")
    shutil.rmtree(ground.base / "to-be-synced")
    planned, report = prune()
    assert (planned.freed, report.is_complete) == (0, True)
    assert ground.mappings() == {"to-be-synced"}


def test_a_base_may_be_a_link(ground: Ground, home: Path, tmp_path: Path) -> None:
    (tmp_path / "big-disk").mkdir()
    ground.base.parent.mkdir(parents=True)
    ground.base.symlink_to(tmp_path / "big-disk")
    orphan = ground.orphan("orphan")
    assert prune()[1].is_complete
    assert (orphan.exists(), list((tmp_path / "big-disk").iterdir())) == (False, [tmp_path / "big-disk" / TRASH])
    assert home.exists()


def fill_with_files(environment: Path) -> None:
    for number in range(10_000):
        (environment / "lib" / str(number)).touch()


def fill_with_a_large_file(environment: Path) -> None:
    with (environment / "data").open("wb") as stream:
        stream.truncate(2 << 30)


def fill_with_names(environment: Path) -> None:
    for name in (b"\xff\xfe", b"two\nlines", b"-rf", b"a\\b", "größe".encode(), b"x" * 255):
        path = os.path.join(os.fsencode(environment), name)
        os.mkdir(path)
        with open(os.path.join(path, name), "wb"):
            pass


def fill_with_depth(environment: Path) -> None:
    folder = environment / "deep"
    for _ in range(150):
        folder /= "deeper"
    folder.mkdir(parents=True)


def close_folders(environment: Path) -> None:
    (environment / "lib" / "package" / "module.py").chmod(0)
    (environment / "lib" / "package").chmod(0o555)
    (environment / "lib").chmod(0)
    (environment / "bin").chmod(0o300)
    environment.chmod(0o555)


@pytest.mark.parametrize(
    "fill",
    [
        pytest.param(fill_with_files, id="10,000 files"),
        pytest.param(fill_with_a_large_file, id="a file of 2 GiB"),
        pytest.param(fill_with_names, id="names that are odd, or not UTF-8"),
        pytest.param(fill_with_depth, id="folders in folders"),
    ],
)
def test_whatever_is_in_it_goes(ground: Ground, fill: Callable[[Path], None]) -> None:
    orphan = ground.orphan("orphan")
    fill(orphan)
    assert prune()[1].is_complete
    assert (orphan.exists(), ground.trash(), ground.mappings()) == (False, [], set())


PRUNE = """
import sys
from prime_uve.core.cache import Cache
from prime_uve.core.removal import Choice, execute, plan
planned = plan(Cache(), Choice(orphan=True))
report = execute(Cache(), planned)
print(*map(str, (*planned.refusals, *report.refusals, *report.left)))
print(len(report.removed))
"""


def test_folders_that_may_not_be_written_or_read_go(ground: Ground, tmp_path: Path) -> None:
    orphan = ground.orphan("orphan")
    close_folders(orphan)
    done = checkouts.child(PRUNE, cwd=tmp_path, prefix=unprivileged())
    assert checkouts.output(done) == "\n1\n"
    assert (orphan.exists(), ground.trash(), ground.mappings()) == (False, [], set())


def test_what_links_in_it_lead_to_stays(ground: Ground, tmp_path: Path) -> None:
    orphan = ground.orphan("orphan")
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "folder" / "file").write_bytes(CONTENT)
    (outside / "cached").write_bytes(CONTENT)
    (outside / "cached").chmod(0o444)
    (orphan / "link").symlink_to(outside)
    (orphan / "lib" / "link").symlink_to(outside / "folder")
    os.link(outside / "cached", orphan / "cached")
    before, mode = tree(outside), (outside / "cached").stat().st_mode
    planned, report = prune()
    assert report.is_complete
    assert tree(outside) == before
    assert (outside / "cached").stat().st_mode == mode
    measurement = planned.targets[0].measurement
    assert measurement is not None
    assert planned.freed < measurement.usage.size


def test_more_than_one_transaction_holds_goes(ground: Ground) -> None:
    for number in range(103):
        environment = ground.base / f"stranger{number}"
        environment.mkdir(parents=True)
        (environment / "pyvenv.cfg").touch()
    seen: list[str] = []
    planned = plan(Cache(), Choice(untracked=True))
    report = execute(Cache(), planned, progress=seen.append)
    assert (len(report.removed), report.is_complete) == (103, True)
    assert sorted(seen) == sorted(target.environment.path for target in planned.targets)
    assert [path.name for path in ground.base.iterdir()] == [TRASH]


# What is no environment of this account, right in a base


def make_link(path: Path, aside: Path) -> None:
    path.rename(aside)
    path.symlink_to(aside)


def make_file(path: Path, aside: Path) -> None:
    path.rename(aside)
    path.touch()


def without_sign(path: Path, _aside: Path) -> None:
    (path / "pyvenv.cfg").unlink()


def sign_as(make: Callable[[Path], object]) -> Callable[[Path, Path], None]:
    def change(path: Path, _aside: Path) -> None:
        (path / "pyvenv.cfg").unlink()
        make(path / "pyvenv.cfg")

    return change


def of_another_user(path: Path, _aside: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(path, 12345, -1)


CHANGES = [
    pytest.param(make_link, id="a link"),
    pytest.param(make_file, id="a file"),
    pytest.param(without_sign, id="without pyvenv.cfg"),
    pytest.param(sign_as(Path.mkdir), id="its pyvenv.cfg is a folder"),
    pytest.param(sign_as(os.mkfifo), id="its pyvenv.cfg is a FIFO"),
    pytest.param(sign_as(lambda path: path.symlink_to("/etc/hosts")), id="its pyvenv.cfg is a link"),
    pytest.param(of_another_user, id="of another user"),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "is_planned", [pytest.param(False, id="at once"), pytest.param(True, id="after it is planned")]
)
def test_what_is_no_environment_of_ours_stays_and_the_others_go(
    ground: Ground, tmp_path: Path, change: Callable[[Path, Path], None], *, is_planned: bool
) -> None:
    hazard, control = ground.orphan("hazard"), ground.orphan("control")
    if not is_planned:
        change(hazard, tmp_path / "aside")
    planned = plan(Cache(), ORPHAN)
    if is_planned:
        change(hazard, tmp_path / "aside")
    before = tree(hazard, tmp_path)
    report = execute(Cache(), planned)
    assert tree(hazard, tmp_path) == before
    assert os.path.lexists(hazard)
    assert repr(str(hazard)) in whys(planned, report)
    assert (control.exists(), ground.trash(), ground.mappings()) == (False, [], {"hazard"})


@pytest.mark.parametrize(
    "venv_path",
    [
        pytest.param("{base}", id="the base itself"),
        pytest.param("{base}/..", id="what is above it"),
        pytest.param("{base}/../../precious", id="through it"),
        pytest.param("{base}-sibling/x", id="a sibling whose name begins the same"),
        pytest.param("{base}/a/b", id="deeper than a child"),
        pytest.param("{home}", id="the home"),
        pytest.param("/", id="the root"),
        pytest.param("{home}/precious", id="an absolute place outside"),
        pytest.param("{base}/.trash", id="the trash"),
    ],
)
def test_whatever_path_the_registry_holds_only_a_child_of_a_base_goes(
    ground: Ground, home: Path, venv_path: str
) -> None:
    control = ground.orphan("control")
    gone = ground.projects / "gone"
    for place in (home, home / "precious", ground.base, ground.base / "a/b", Path(f"{ground.base}-sibling/x")):
        place.mkdir(parents=True, exist_ok=True)
        (place / "pyvenv.cfg").touch()
    (ground.base / TRASH).mkdir(mode=0o700)
    path = venv_path.format(base=ground.base, home=home)
    Cache().add_mapping(gone, path, "gone", "0" * 8)
    for choice in (ORPHAN, ALL, Choice(paths=(path,), force=True, include_unreachable=True, untracked=True)):
        before = tree(home)
        planned, _ = prune(choice)
        assert not [target for target in planned.targets if target.is_there and target.environment.path != str(control)]
        assert {name for name in before if "control" not in name and "cache" not in name} <= tree(home).keys()
    assert not control.exists()


def test_nothing_mounted_in_it_goes(ground: Ground, tmp_path: Path) -> None:
    orphan, control = ground.orphan("orphan"), ground.orphan("control")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_bytes(CONTENT)
    mount = ["sh", "-ec", f'mount --bind {tmp_path}/data {orphan}/lib/package; exec "$@"', "sh"]
    done = checkouts.child(PRUNE, cwd=tmp_path, prefix=[*checkouts.own_mounts(), *mount])
    refusals, removed = checkouts.output(done).splitlines()
    assert "another file system is mounted in it; unmount that first" in refusals
    assert removed == "1"
    assert (tmp_path / "data" / "file").exists()
    assert (orphan.exists(), control.exists(), ground.trash()) == (True, False, [])


WITHOUT_DESCRIPTORS = f"""
import os
os.supports_dir_fd.clear()  # as where there are none
os.chdir("/")
{PRUNE}
"""


def test_nothing_mounted_in_what_an_earlier_prune_left_goes(ground: Ground, tmp_path: Path) -> None:
    control = ground.orphan("control")
    left = ground.base / TRASH / ("0" * 32) / "lib"
    left.mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_bytes(CONTENT)
    mount = ["sh", "-ec", f'mount --bind {tmp_path}/data {left}; exec "$@"', "sh"]
    done = checkouts.child(PRUNE, cwd=tmp_path, prefix=[*checkouts.own_mounts(), *mount])
    troubles, removed = checkouts.output(done).splitlines()
    assert f"something is mounted at '{left}', unmount that first: umount '{left}'" in troubles
    assert removed == "1"
    assert (tmp_path / "data" / "file").exists()
    assert (control.exists(), ground.trash()) == (False, ["0" * 32])
    assert prune()[1].swept == 1, "it is unmounted"


def test_where_the_system_has_no_descriptors_of_folders_the_same_holds(ground: Ground, tmp_path: Path) -> None:
    orphan, link, used, bare = (ground.orphan(name) for name in ("orphan", "link", "used", "bare"))
    make_link(link, tmp_path / "aside")
    (bare / "pyvenv.cfg").unlink()
    left = ground.base / TRASH / ("0" * 32)
    left.mkdir(parents=True)
    with (used / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refusals, removed = checkouts.output(checkouts.child(WITHOUT_DESCRIPTORS, cwd=tmp_path)).splitlines()
    assert removed == "1"
    assert all(repr(str(path)) in refusals for path in (link, used, bare))
    assert {path.name for path in ground.base.iterdir()} == {TRASH, "link", "used", "bare"}
    assert (orphan.exists(), ground.trash()) == (False, [])
    assert ground.mappings() == {"link", "used", "bare"}


# Who uses it


def test_uv_at_work_in_it_keeps_it(ground: Ground) -> None:
    orphan, control = ground.orphan("orphan"), ground.orphan("control")
    planned = plan(Cache(), ORPHAN)
    with (orphan / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "holds its lock" in whys(plan(Cache(), ORPHAN))
        report = execute(Cache(), planned)
        assert "holds its lock" in whys(planned, report)
        assert (orphan.exists(), control.exists(), ground.mappings()) == (True, False, {"orphan"})
    assert prune()[1].is_complete
    assert not orphan.exists()


@contextmanager
def a_shell_in(environment: Path) -> Iterator[int]:
    with subprocess.Popen(["cat"], cwd=environment, stdin=subprocess.PIPE) as process:
        yield process.pid


@contextmanager
def a_python_of(environment: Path) -> Iterator[int]:
    (environment / "bin" / "python").unlink()
    (environment / "bin" / "python").symlink_to(sys.executable)
    command = [str(environment / "bin" / "python"), "-S", "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


@contextmanager
def a_shell_that_activated(environment: Path) -> Iterator[int]:
    variables = {**os.environ, "VIRTUAL_ENV": str(environment)}
    with subprocess.Popen(["cat"], env=variables, stdin=subprocess.PIPE) as process:
        yield process.pid


@pytest.mark.parametrize("use", [a_shell_in, a_python_of, a_shell_that_activated])
@pytest.mark.parametrize(
    "is_planned", [pytest.param(False, id="at once"), pytest.param(True, id="after it is planned")]
)
def test_who_runs_in_it_keeps_it(
    ground: Ground,
    use: Callable[[Path], AbstractContextManager[int]],
    *,
    is_planned: bool,
) -> None:
    orphan, control = ground.orphan("orphan"), ground.orphan("control")
    planned = plan(Cache(), ORPHAN)
    with use(orphan) as pid:
        if not is_planned:
            planned = plan(Cache(), ORPHAN)
        report = execute(Cache(), planned)
        assert f"pid {pid} " in whys(planned, report)
        assert (orphan.exists(), control.exists(), ground.mappings()) == (True, False, {"orphan"})
    assert prune()[1].is_complete
    assert not orphan.exists()


def test_where_we_are_stays(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    orphan = ground.orphan("orphan")
    with monkeypatch.context() as patch:
        patch.chdir(orphan / "lib")
        planned, report = prune()
        assert "working directory" in whys(planned, report)
    assert orphan.exists()
    assert prune()[1].is_complete
    assert not orphan.exists()


@pytest.mark.parametrize("link", [False, True], ids=["by its path", "by a link"])
def test_what_holds_a_base_stays(ground: Ground, monkeypatch: pytest.MonkeyPatch, *, link: bool) -> None:
    outer = ground.orphan("outer")
    inner = Ground(outer / "venvs", ground.projects.with_name("inner projects"))
    inner.registered("living")
    base = ground.projects / "link" if link else inner.base
    if link:
        base.symlink_to(inner.base)
    monkeypatch.setenv("PRIME_UVE_VENVS", f"{ground.base}{os.pathsep}{base}")
    planned, report = prune()
    assert f"the folder of environments '{base}' lies in it" in whys(planned, report)
    assert (inner.base / "living" / "pyvenv.cfg").exists()


@pytest.mark.parametrize("variable", ["HOME", "PRIME_UVE_CACHE"])
def test_what_holds_the_home_or_the_registry_stays(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    orphan, control = ground.orphan("orphan"), ground.orphan("control")
    (orphan / "inner").mkdir()
    cache = Cache().path
    monkeypatch.setenv("PRIME_UVE_VENVS", str(ground.base))
    monkeypatch.setenv("PRIME_UVE_CACHE", str(cache))
    if variable == "HOME":
        monkeypatch.setenv("HOME", str(orphan / "inner"))
        for row in (rows := Cache().rows()).values():
            row["venv_path"] = row["venv_path"].replace("${HOME}", str(ground.base.parent.parent))
        Cache().edit(lambda present: present.update(rows))
    else:
        shutil.copy(cache, orphan / "inner" / "cache.json")
        monkeypatch.setenv("PRIME_UVE_CACHE", str(orphan / "inner" / "cache.json"))
    planned, report = prune()
    assert " lies in it" in whys(planned, report)
    assert (orphan.exists(), control.exists()) == (True, False)


# What changes between plan and deletion


def come_back(ground: Ground) -> None:
    checkouts.make(ground.projects / "hazard", str(ground.base / "hazard"))


def share(ground: Ground) -> None:
    ground.registered("newcomer", ground.base / "hazard")


def keep(ground: Ground) -> None:
    project = str(ground.projects / "hazard")
    Cache().edit(lambda rows: rows[project].update(kept={"reason": "the paper"}))


def forget_and_name(ground: Ground) -> None:
    come_back(ground)
    Cache().remove_mapping(ground.projects / "hazard")


def hide(ground: Ground) -> None:
    ground.projects.rename(ground.projects.with_name("hidden"))


def restore(ground: Ground) -> None:
    if (hidden := ground.projects.with_name("hidden")).exists():
        hidden.rename(ground.projects)


@pytest.mark.parametrize("change", [come_back, share, keep, forget_and_name, hide])
def test_what_is_needed_again_at_the_moment_of_deletion_stays(ground: Ground, change: Callable[[Ground], None]) -> None:
    hazard = ground.orphan("hazard")
    planned = plan(Cache(), ORPHAN)
    change(ground)
    before = tree(hazard)
    report = execute(Cache(), planned)
    assert (tree(hazard), ground.trash(), report.removed) == (before, [], [])
    assert repr(str(hazard)) in whys(planned, report)
    restore(ground)


def test_a_claim_that_comes_while_the_lock_is_waited_for_is_seen(ground: Ground) -> None:
    """The last look comes after the lock: who registered while we waited for it keeps the environment."""
    hazard, control = ground.orphan("hazard"), ground.orphan("control")
    registry = Cache().path
    come_back(ground)
    living = json.loads(registry.read_bytes())
    shutil.rmtree(ground.projects / "hazard")
    planned = plan(Cache(), ORPHAN)
    living["venvs"][str(ground.projects / "newcomer")] = {"venv_path": str(hazard)}
    script = """
document = sys.argv[2]
def change(present):
    import json
    print("held", flush=True)
    sys.stdin.readline()
    present["venvs"].update(json.loads(document)["venvs"])
store.update(change)
"""
    with subprocess.Popen(
        writers.command(registry, script, json.dumps(living)),
        env=os.environ | writers.ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder, subprocess.Popen(
        [sys.executable, "-c", PRUNE], env=os.environ | writers.ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as pruning:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        wait_for_lock(pruning.pid, Cache().lock_path)
        come_back(ground)
        holder.stdin.write("\n")
        holder.stdin.flush()
        said, _ = pruning.communicate(timeout=60)
    assert hazard.exists()
    assert said.endswith("\n1\n")
    assert not control.exists()
    assert len(planned.targets) == 2


def wait_for_lock(pid: int, lock: Path) -> None:
    """Wait until a process has the lock file open, which it has only when it waits for the lock."""
    while True:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if entry.readlink() == lock:
                    return
            except FileNotFoundError:
                continue
        os.sched_yield()


SWAP = """
import os, sys
environment, aside, victim = sys.argv[1:]
print(flush=True)
while os.path.lexists(environment) or os.path.lexists(aside):
    try:
        os.rename(environment, aside)
        os.symlink(victim, environment)
        os.unlink(environment)
        os.rename(aside, environment)
    except OSError:
        pass
"""


def test_a_link_swapped_in_during_the_deletion_leads_nowhere(ground: Ground, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    shutil.copytree(ground.environment("model"), victim, symlinks=True)
    before = tree(victim)
    for attempt in range(6):
        orphan = ground.orphan(f"orphan{attempt}")
        aside = tmp_path / "aside"
        with subprocess.Popen(
            [sys.executable, "-S", "-c", SWAP, str(orphan), str(aside), str(victim)], stdout=subprocess.PIPE
        ) as racer:
            assert racer.stdout is not None
            racer.stdout.readline()
            report = execute(Cache(), plan(Cache(), ORPHAN))
            racer.kill()
        assert tree(victim) == before
        assert not report.left
        for path in (orphan, aside):
            path.unlink(missing_ok=True) if path.is_symlink() else None
        if aside.exists() and not orphan.exists():
            aside.rename(orphan)
        assert prune()[1].is_complete
        assert not orphan.exists()
    assert tree(victim) == before


# The registry


def damage(cache: Path) -> None:
    cache.write_bytes(cache.read_bytes()[:-30])


def empty(cache: Path) -> None:
    cache.write_bytes(b"")


def damage_and_write(cache: Path) -> None:
    damage(cache)
    Cache().add_mapping(cache.parent / "new", "/v", "n", "0" * 8)


@pytest.mark.parametrize("change", [damage, empty, damage_and_write])
@pytest.mark.parametrize(
    "is_planned", [pytest.param(False, id="at once"), pytest.param(True, id="after it is planned")]
)
def test_a_registry_that_lost_something_prunes_nothing_until_a_person_has_looked(
    ground: Ground, home: Path, change: Callable[[Path], None], *, is_planned: bool
) -> None:
    orphan = ground.orphan("orphan")
    ground.orphan("other")
    planned = plan(Cache(), ORPHAN)
    change(Cache().path)
    before = tree(home)
    with pytest.raises(RefusalError, match="look first: prime-uve doctor"):
        execute(Cache(), planned) if is_planned else plan(Cache(), ORPHAN)
    assert tree(home) == before
    Cache().add_mapping(home / "p", "/v", "n", "0" * 8)
    Cache().acknowledge_damage()
    assert prune()[1].is_complete
    assert not orphan.exists()


@pytest.mark.parametrize(
    "is_planned", [pytest.param(False, id="at once"), pytest.param(True, id="after it is planned")]
)
def test_a_newer_registry_prunes_nothing(ground: Ground, home: Path, *, is_planned: bool) -> None:
    ground.orphan("orphan")
    planned = plan(Cache(), ORPHAN)
    Cache().path.write_text(Cache().path.read_text().replace('"1.0"', '"9.0"'))
    before = tree(home)
    with pytest.raises(CacheError, match="upgrade prime-uve"):
        execute(Cache(), planned) if is_planned else plan(Cache(), ORPHAN)
    assert tree(home) == before


def test_a_lost_registry_frees_nothing_that_lives(ground: Ground) -> None:
    ground.registered("living")
    ground.environment("stranger")
    orphan = ground.orphan("orphan")
    Cache().path.unlink()
    planned, _ = prune(Choice(orphan=True, untracked=True))
    assert [target.environment.path for target in planned.targets] == [str(orphan)]
    assert "build it anew: prime-uve doctor --rebuild" in whys(planned)
    assert {path.name for path in ground.base.iterdir()} == {TRASH, "living", "stranger"}


def test_where_the_registry_cannot_be_written_everything_stays(ground: Ground, home: Path, tmp_path: Path) -> None:
    ground.orphan("orphan")
    folder = Cache().path.parent
    before = tree(home)
    folder.chmod(0o500)
    try:
        done = checkouts.child(PRUNE, cwd=tmp_path, prefix=unprivileged())
    finally:
        folder.chmod(0o700)
    assert "CacheError" in done.stderr
    assert {name: content for name, content in tree(home).items() if TRASH not in name} == before
    assert ground.trash() == []


def test_while_somebody_holds_the_registry_everything_stays(ground: Ground, home: Path) -> None:
    ground.orphan("orphan")
    planned = plan(Cache(), ORPHAN)
    before = tree(home)
    with writers.holder(Cache().path), pytest.raises(CacheError, match="another process"):
        execute(Cache(lock_timeout=0), planned)
    assert tree(home) == before


# The trash


def test_what_an_earlier_prune_left_goes_with_the_next(ground: Ground) -> None:
    orphan = ground.orphan("orphan")
    trash = ground.base / TRASH
    trash.mkdir(mode=0o700)
    left = trash / ("0" * 32)
    orphan.rename(left)
    (trash / "mine").mkdir()
    planned, report = prune()
    assert planned.leftovers == (str(left),)
    assert (report.swept, report.is_complete) == (1, True)
    assert (ground.trash(), ground.mappings()) == (["mine"], set())


def test_what_another_prune_is_at_is_not_swept(ground: Ground) -> None:
    left = ground.base / TRASH / ("0" * 32)
    left.mkdir(parents=True)
    descriptor = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert prune()[1].swept == 0
        assert left.exists()
    finally:
        os.close(descriptor)
    assert prune()[1].swept == 1


def link_elsewhere(trash: Path, aside: Path) -> None:
    aside.mkdir()
    trash.symlink_to(aside)


def lay_a_file(trash: Path, _aside: Path) -> None:
    trash.touch()


def lay_a_strangers(trash: Path, aside: Path) -> None:
    trash.mkdir()
    of_another_user(trash, aside)


@pytest.mark.parametrize("lay", [link_elsewhere, lay_a_file, lay_a_strangers])
def test_a_trash_that_is_not_ours_is_not_used(
    ground: Ground, tmp_path: Path, lay: Callable[[Path, Path], None]
) -> None:
    orphan = ground.orphan("orphan")
    lay(ground.base / TRASH, tmp_path / "aside")
    before = tree(ground.base, tmp_path)
    planned, report = prune()
    assert "the trash" in whys(planned, report)
    assert tree(ground.base, tmp_path) == before
    (ground.base / TRASH).rmdir() if lay is lay_a_strangers else (ground.base / TRASH).unlink()
    assert prune()[1].is_complete
    assert not orphan.exists()


def test_the_trash_is_closed_to_others(ground: Ground) -> None:
    ground.orphan("orphan")
    (ground.base / TRASH).mkdir()
    (ground.base / TRASH).chmod(0o777)
    assert prune()[1].is_complete
    assert stat.S_IMODE((ground.base / TRASH).stat().st_mode) == 0o700


def test_what_cannot_be_removed_is_told_and_tried_again(ground: Ground) -> None:
    orphan = ground.orphan("orphan")
    module = orphan / "lib" / "package" / "module.py"
    checkouts.usable([], "chattr", "+i", str(module))
    checkouts.usable([], "chattr", "-i", str(module))
    (orphan / "lib" / "package" / "other.py").touch()
    subprocess.run(["chattr", "+i", str(module)], check=True)
    try:
        _, report = prune()
        (left,) = report.left
        assert os.strerror(errno.EPERM) in left.why
        assert (report.is_complete, report.freed) == (False, 0)
        assert (orphan.exists(), ground.mappings(), len(ground.trash())) == (False, set(), 1)
        assert [path.name for path in Path(left.path).rglob("*.py")] == ["module.py"]
        assert prune()[1].left[0].path == left.path
    finally:
        subprocess.run(["chattr", "-i", *ground.base.rglob("module.py")], check=True)
    assert prune()[1].swept == 1
    assert ground.trash() == []


def test_what_a_path_names_goes_by_any_spelling(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ground.base)
    for name, spelled in {"a": "{base}/a/", "b": "{link}/b", "c": "{base}/x/../c", "d": "{project}"}.items():
        project = ground.registered(name)
        given = spelled.format(base=ground.base, link=tmp_path / "link", project=project)
        _, report = prune(Choice(paths=(given,)))
        assert (report.is_complete, (ground.base / name).exists()) == (True, False)
    assert marker.NAME not in tree(ground.base)
