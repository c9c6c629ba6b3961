"""The lock where the kernel has none, or where another host may not see it: claims, and who may take one over."""

import errno
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from prime_uve.core.store import claims, lock
from prime_uve.errors import CacheError
from tests.core import writers

fcntl = pytest.importorskip("fcntl")

# A process for which the kernel has no lock on this file system.
NO_FLOCK = """
import errno, fcntl, os
def refuse(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = refuse
"""
IN_THE_CHANGE = """
def change(document):
    if "/slow" not in document["venvs"]:
        print("there", flush=True)
        sys.stdin.readline()
    document["venvs"]["/slow"] = {}
"""
BEFORE_THE_RENAME = """
import os
rename = os.replace
def stop(*names):
    os.replace = rename
    print("there", flush=True)
    sys.stdin.readline()
    rename(*names)
os.replace = stop
def change(document):
    document["venvs"]["/slow"] = {}
"""
UPDATE = """
try:
    store.update(change)
    print("written", flush=True)
except CacheError as error:
    print(error, flush=True)
"""
DIE = """
import os, signal
store.update(lambda document: os.kill(os.getpid(), signal.SIGKILL))
"""
ADD = """
store.update(lambda document: document["venvs"].update({"/next": {}}))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry" / "cache.json"


@pytest.fixture
def shared_lock(path: Path) -> Path:
    return path.with_name("cache.lock.shared")


@pytest.fixture
def no_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_flock(monkeypatch, errno.ENOLCK)


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what stands still be taken over soon."""
    monkeypatch.setattr(claims, "_STILL_SECONDS", 0.2)
    monkeypatch.setattr(claims, "_LOOK_SECONDS", 0.05)


def refuse_flock(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def refuse_link(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)


def add(path: Path, name: str, *, timeout: float = 60.0) -> None:
    writers.store_at(path, timeout=timeout).update(lambda document: document["venvs"].update({name: {}}))


def rows(path: Path) -> set[str]:
    return set(writers.store_at(path).read()["venvs"])


def on_another_host() -> list[str]:
    """Return what a command has to be preceded by to run on a host of another name."""
    unshare = shutil.which("unshare")
    prefix = [str(unshare), "--uts", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    prefix += ["sh", "-c", 'hostname elsewhere && exec "$@"', "sh"]
    if unshare is None or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a host of another name cannot be had here")
    return prefix


def in_a_container() -> list[str]:
    """Return what a command has to be preceded by to run in a process namespace of its own."""
    unshare = shutil.which("unshare")
    prefix = [str(unshare), "--pid", "--fork", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    if unshare is None or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a process namespace cannot be had here")
    return prefix


def run(command: list[str], *, measured: bool = True) -> subprocess.CompletedProcess[str]:
    environment = os.environ | writers.ENVIRONMENT
    if not measured:  # what is killed while it writes down what it has covered leaves half a file
        environment = {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def die(path: Path, prefix: list[str]) -> None:
    """Have a process without flock die while it holds the lock."""
    # A shell in between, since unshare repeats the signal on itself.
    done = run([*prefix, "sh", "-c", '"$@"; true', "sh", *writers.command(path, NO_FLOCK + DIE)], measured=False)
    assert done.returncode == 0, done.stderr


class Slow:
    """A process that stands still in the middle of an update."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert self._line() == "there"

    def goes_on(self) -> str:
        """Let it go on, and return what it says at the end."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def slow(path: Path, script: str, prefix: list[str] | None = None) -> Iterator[Slow]:
    with subprocess.Popen(
        [*(prefix or []), *writers.command(path, script + UPDATE)],
        env=os.environ | writers.ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Slow(process)
            process.communicate(timeout=60)
        finally:
            process.kill()


class TestWithoutTheKernelsLock:
    @pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP], ids=errno.errorcode.get)
    def test_a_registry_can_be_written(
        self, path: Path, shared_lock: Path, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse_flock(monkeypatch, number)
        add(path, "/a")
        add(path, "/b")
        assert rows(path) == {"/a", "/b"}
        assert {entry.name for entry in path.parent.iterdir()} == {
            *("cache.json", "cache.json.last-good", "cache.lock"),
            *(shared_lock.name, f"{shared_lock.name}.filelock"),
        }
        assert not list(Path(f"{shared_lock}.filelock", "claims").iterdir())

    @pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE], ids=errno.errorcode.get)
    def test_a_failure_is_not_taken_for_a_lack(
        self, path: Path, shared_lock: Path, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refuse_flock(monkeypatch, number)
        with pytest.raises(CacheError, match=re.escape(os.strerror(number))):
            add(path, "/a")
        assert not shared_lock.exists()

    @pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
    @pytest.mark.parametrize("name", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
    def test_what_the_kernel_itself_refuses(self, path: Path, shared_lock: Path, name: str) -> None:
        strace = ["strace", "--follow-forks", "--quiet=all", "--trace=flock", f"--inject=flock:error={name}"]
        strace += [f"--output={path.parents[1] / 'trace'}"]
        if run([*strace, "true"]).returncode:
            pytest.skip("strace may not attach here")
        done = run([*strace, *writers.command(path, ADD)])
        assert done.returncode == 0, done.stderr
        assert name in (path.parents[1] / "trace").read_text()
        assert shared_lock.exists()
        assert rows(path) == {"/next"}

    @pytest.mark.usefixtures("no_flock")
    @pytest.mark.parametrize("umask", [0, 0o027], ids=oct)
    def test_files_and_folders_are_private(self, path: Path, shared_lock: Path, umask: int) -> None:
        before = os.umask(umask)
        try:
            add(path, "/a")
            with lock.held(path.with_name("cache.lock"), 1):
                made = list(path.parent.rglob("*"))
                modes = {entry: stat.S_IMODE(entry.stat().st_mode) & 0o777 for entry in made}
        finally:
            os.umask(before)
        assert len([entry for entry in made if entry.suffix == ".claim"]) == 2
        folders = {Path(f"{shared_lock}.filelock"), Path(f"{shared_lock}.filelock", "claims")}
        assert modes == {entry: 0o700 if entry in folders else 0o600 for entry in made}

    @pytest.mark.usefixtures("no_flock")
    def test_threads_lose_no_update(self, path: Path) -> None:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda number: add(path, f"/{number}"), range(24)))
        assert rows(path) == {f"/{number}" for number in range(24)}

    @pytest.mark.usefixtures("no_flock")
    def test_what_a_fork_does_at_its_end_leaves_the_claim(self, path: Path) -> None:
        path.parent.mkdir()
        with lock.held(path.with_name("cache.lock"), 1) as hold:
            child = os.fork()
            if child == 0:
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            hold.confirm()

    @pytest.mark.usefixtures("no_flock")
    @pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP], ids=errno.errorcode.get)
    def test_without_hard_links_it_is_explained(self, path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        refuse_link(monkeypatch, number)
        with pytest.raises(CacheError, match=r"cache\.lock: its file system has no locks \(.*PRIME_UVE_CACHE"):
            add(path, "/a")
        assert not path.exists()
        assert rows(path) == set()

    @pytest.mark.usefixtures("no_flock")
    @pytest.mark.parametrize("nth", [2, 3, 4, 5])
    def test_a_claim_that_is_taken_away_while_it_is_made_is_made_anew(
        self, path: Path, nth: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(path, "/a")
        real, calls = os.link, iter(range(1, 1000))

        def link(*names: str, **options: Any) -> None:  # noqa: ANN401  # whatever the library passes
            if next(calls) == nth:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            real(*names, **options)

        monkeypatch.setattr(os, "link", link)
        add(path, "/b")
        assert next(calls) > nth
        assert rows(path) == {"/a", "/b"}

    @pytest.mark.usefixtures("no_flock")
    @pytest.mark.parametrize("ending", ["", ".filelock"], ids=["the lock", "the folder of the claims"])
    def test_a_link_is_not_followed(self, path: Path, shared_lock: Path, tmp_path: Path, ending: str) -> None:
        victim = tmp_path / "victim"
        victim.mkdir()
        path.parent.mkdir()
        Path(f"{shared_lock}{ending}").symlink_to(victim)
        with pytest.raises(CacheError, match=rf"could not lock .*{re.escape(str(shared_lock))}"):
            add(path, "/a", timeout=1)
        assert not list(victim.iterdir())
        assert not path.exists()

    @pytest.mark.usefixtures("no_flock")
    def test_what_is_no_claim_is_left_alone(self, path: Path, shared_lock: Path) -> None:
        add(path, "/a")
        note = Path(f"{shared_lock}.filelock", "claims", "note.txt")
        note.write_text("mine")
        with pytest.raises(
            CacheError, match=rf"no prime-uve is running on any host, remove {re.escape(str(shared_lock))}"
        ):
            add(path, "/b", timeout=1)
        assert note.read_text() == "mine"


class TestAHolderWithoutTheKernelsLock:
    @pytest.fixture(params=["with flock", "without flock"])
    def kind(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the second process one of either kind."""
        if request.param == "without flock":
            refuse_flock(monkeypatch, errno.ENOLCK)

    @pytest.mark.usefixtures("kind")
    def test_excludes_others_and_is_named(self, path: Path, shared_lock: Path) -> None:
        with slow(path, NO_FLOCK + IN_THE_CHANGE) as holder:
            with pytest.raises(CacheError) as caught:
                add(path, "/b", timeout=0.3)
            assert holder.goes_on() == "written"
        assert rows(path) == {"/slow"}
        text = str(caught.value)
        assert f"(pid {holder.process.pid} on " in text
        assert f"the lock {shared_lock} " in text
        assert "for 0.3 s" in text

    @pytest.mark.usefixtures("kind")
    def test_leaves_it_free_when_it_is_killed(self, path: Path) -> None:
        die(path, [])
        assert list(path.parent.rglob("held-*"))
        add(path, "/b", timeout=2)  # less than what stands still is given
        assert rows(path) == {"/b"}

    @pytest.mark.usefixtures("no_flock")
    def test_is_waited_for(self, path: Path) -> None:
        with slow(path, NO_FLOCK + IN_THE_CHANGE) as holder, ThreadPoolExecutor(1) as pool:
            other = pool.submit(add, path, "/b")
            assert holder.goes_on() == "written"
            other.result(30)
        assert rows(path) == {"/slow", "/b"}

    @pytest.mark.usefixtures("kind")
    def test_is_not_taken_for_gone_on_another_host(self, path: Path) -> None:
        die(path, on_another_host())
        with pytest.raises(CacheError, match=r"\(pid \d+ on elsewhere\).*stands still for 8 s is taken over"):
            add(path, "/b", timeout=0.3)

    @pytest.mark.usefixtures("kind")
    def test_does_not_lock_out_others_when_its_host_dies(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        die(path, on_another_host())
        be_impatient(monkeypatch)
        add(path, "/b")
        assert rows(path) == {"/b"}

    @pytest.mark.usefixtures("no_flock")
    def test_is_not_taken_for_gone_in_a_container(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        die(path, in_a_container())
        with pytest.raises(CacheError, match=r"\(pid \d+ on "):
            add(path, "/b", timeout=0.3)
        be_impatient(monkeypatch)
        add(path, "/b")
        assert rows(path) == {"/b"}

    def test_is_known_as_gone_in_the_same_container(self, path: Path) -> None:
        both = [
            *writers.command(path, NO_FLOCK + DIE),
            "--",
            *writers.command(path, NO_FLOCK + "store._timeout = 2" + ADD),
        ]
        number = len(writers.command(path, ""))
        script = f'"$@"; shift {number + 1}; "$@"'
        done = run([*in_a_container(), "sh", "-c", script, "sh", *both], measured=False)
        assert done.returncode == 0, done.stderr
        assert rows(path) == {"/next"}

    @pytest.mark.usefixtures("no_flock")
    def test_that_lost_its_power_while_it_claimed_does_not_lock_out_others(
        self, path: Path, shared_lock: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(path, "/a")
        claim = Path(f"{shared_lock}.filelock", "claims", f"held-v1-{'0' * 32}.claim")
        claim.touch()
        with pytest.raises(CacheError, match="another process has held the lock"):
            add(path, "/b", timeout=0.3)
        be_impatient(monkeypatch)
        add(path, "/b")
        assert rows(path) == {"/a", "/b"}
        assert not claim.exists()


@pytest.mark.usefixtures("no_flock")
class TestAHolderThatStandsStill:
    @pytest.mark.parametrize("script", [IN_THE_CHANGE, BEFORE_THE_RENAME], ids=["in the change", "before the rename"])
    def test_cannot_undo_what_its_successor_wrote(
        self, path: Path, script: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(path, "/a")
        with slow(path, NO_FLOCK + script, on_another_host()) as holder:
            be_impatient(monkeypatch)
            add(path, "/b")
            said = holder.goes_on()
        assert re.match(r"lost the lock .* nothing was written; try again", said)
        assert rows(path) == {"/a", "/b"}

    @pytest.mark.parametrize("script", [IN_THE_CHANGE, BEFORE_THE_RENAME], ids=["in the change", "before the rename"])
    def test_writes_if_nobody_else_wanted_to(self, path: Path, script: str) -> None:
        with slow(path, NO_FLOCK + script) as holder:
            assert holder.goes_on() == "written"
        assert rows(path) == {"/slow"}

    def test_leaves_the_claim_of_its_successor_alone(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with slow(path, NO_FLOCK + IN_THE_CHANGE, on_another_host()) as holder:
            be_impatient(monkeypatch)
            with lock.held(path.with_name("cache.lock"), 30) as hold:
                assert holder.goes_on().startswith("lost the lock")
                hold.confirm()


class TestWhereTheKernelsLockWorksForSome:
    def test_one_host_that_has_none_makes_all_use_claims(self, path: Path, shared_lock: Path) -> None:
        lock_path = path.with_name("cache.lock")
        add(path, "/a")
        with lock.held(lock_path, 1) as hold:
            assert not hold.by_claim
        assert not shared_lock.exists()
        done = run(writers.command(path, NO_FLOCK + ADD))
        assert done.returncode == 0, done.stderr
        with lock.held(lock_path, 1) as hold:
            assert hold.by_claim

    @pytest.mark.parametrize("script", [IN_THE_CHANGE, BEFORE_THE_RENAME], ids=["in the change", "before the rename"])
    def test_a_holder_from_before_the_first_claim_undoes_nothing(
        self, path: Path, script: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with slow(path, script) as holder:
            with monkeypatch.context() as patch:
                refuse_flock(patch, errno.ENOLCK)
                add(path, "/b")
            assert holder.goes_on().startswith("lost the lock")
        assert rows(path) == {"/b"}

    def test_processes_of_both_kinds_lose_no_update(self, path: Path) -> None:
        script = """
for number in range(12):
    while True:
        try:
            store.update(lambda document: document["venvs"].update({f"/{sys.argv[2]}-{number}": {}}))
        except CacheError as error:  # the one that was there before the first claim
            assert "lost the lock" in str(error), error
        else:
            break
"""
        kinds = ["", NO_FLOCK, "", NO_FLOCK]
        commands = [writers.command(path, kind + script, str(who)) for who, kind in enumerate(kinds)]
        with ThreadPoolExecutor(len(commands)) as pool:
            for done in pool.map(run, commands):
                assert done.returncode == 0, done.stderr
        assert rows(path) == {f"/{who}-{number}" for who in range(len(kinds)) for number in range(12)}

    def test_claims_are_used_where_another_host_may_not_see_the_lock(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(claims, "may_be_shared", lambda _: True)
        add(path, "/a")
        with lock.held(path.with_name("cache.lock"), 1) as hold:
            assert hold.by_claim

    def test_the_lock_that_there_is_does_where_claims_cannot_be_made(
        self, path: Path, shared_lock: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(claims, "may_be_shared", lambda _: True)
        refuse_link(monkeypatch, errno.EPERM)
        add(path, "/a")
        assert rows(path) == {"/a"}
        assert not shared_lock.exists()

    def test_it_does_not_do_where_others_use_claims(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        done = run(writers.command(path, NO_FLOCK + ADD))
        assert done.returncode == 0, done.stderr
        refuse_link(monkeypatch, errno.EPERM)
        with pytest.raises(CacheError, match=r"could not lock .*cache\.lock\.shared: Operation not permitted"):
            add(path, "/a")
        assert rows(path) == {"/next"}


@pytest.mark.usefixtures("no_flock")
class TestAskingWhetherTheClaimIsThere:
    def test_a_file_that_the_server_no_longer_knows_is_gone(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.parent.mkdir()
        with lock.held(path.with_name("cache.lock"), 1) as hold:
            hold.confirm()
            refuse_chmod(monkeypatch, errno.ESTALE)
            with pytest.raises(CacheError, match="lost the lock"):
                hold.confirm()

    def test_a_claim_that_may_be_lost_by_the_time_it_is_known_is_lost(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(claims, "_STILL_SECONDS", 0)
        with pytest.raises(CacheError, match="lost the lock"):
            add(path, "/a")
        assert not path.exists()

    def test_an_answer_that_does_not_come_is_an_error(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.parent.mkdir()
        with lock.held(path.with_name("cache.lock"), 1) as hold:
            refuse_chmod(monkeypatch, errno.EIO)
            with pytest.raises(CacheError, match=r"could not look at .*\.claim: Input/output error"):
                hold.confirm()


def refuse_chmod(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def chmod(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "chmod", chmod)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the table")
class TestMayBeShared:
    @pytest.mark.parametrize("place", ["/proc", "/proc/self/fd"])
    def test_what_has_no_device_and_is_not_known_may_be(self, place: str) -> None:
        assert claims.may_be_shared(Path(place))

    @pytest.mark.parametrize("place", [Path("/dev", "shm"), Path("/no/such/place")], ids=str)
    def test_memory_and_nothing_are_not(self, place: Path) -> None:
        assert not claims.may_be_shared(place)

    def test_without_the_table_nothing_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(claims, "_MOUNTS", tmp_path / "missing")
        assert not claims.may_be_shared(Path("/proc"))

    def test_what_the_table_does_not_list_is_not(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "mounts").write_text("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
        monkeypatch.setattr(claims, "_MOUNTS", tmp_path / "mounts")
        assert not claims.may_be_shared(Path("/proc"))
