"""Writes in which something goes wrong: the old file or the new one is whole, and the next write works."""

import errno
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from prime_uve.core import store as store_module
from prime_uve.core.store import Store, whole_file
from prime_uve.errors import CacheError
from tests.core import writers

SOURCES = str(Path(store_module.__file__).parent)
STARTS = {
    "no file": None,
    "a good file": b'{"version": "1.0", "venvs": {"/old": {}}}',
    "a damaged file": b'{"version": "1.0", "venvs": {"/old": {}}',
    "an older file": b'{"venvs": {"/old": {}}}',
}
CLEAN = {"cache.json", "cache.json.last-good", "cache.lock"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry" / "cache.json"


@pytest.fixture
def store(path: Path) -> Store:
    return Store(path, version="1.0", defaults={"venvs": {}}, notify=lambda _: None)


def begin(path: Path, raw: bytes | None) -> None:
    """Make a folder that holds nothing but ``raw``."""
    shutil.rmtree(path.parent, ignore_errors=True)
    if raw is not None:
        path.parent.mkdir()
        path.write_bytes(raw)


def add(store: Store, name: str) -> None:
    store.update(lambda document: document["venvs"].update({name: {}}))


def assert_old_or_new(path: Path, start: bytes | None) -> None:
    """The file is the one at the start, or the whole new one; in the latter case nothing is lost of the former."""
    raw = path.read_bytes() if path.exists() else None
    if raw != start:
        assert raw is not None
        assert json.loads(raw)["venvs"].keys() == ({"/new"} if start is None else {"/old", "/new"})
        if start is not None and start != STARTS["a good file"]:
            assert start in {entry.read_bytes() for entry in path.parent.iterdir()}


def assert_next_write_works(store: Store, path: Path, start: bytes | None) -> None:
    add(store, "/next")
    assert {"/next"} | (set() if start is None else {"/old"}) <= store.read()["venvs"].keys()
    extra = {entry.name for entry in path.parent.iterdir()} - CLEAN
    assert len(extra) == (start not in {None, STARTS["a good file"]}), extra


@pytest.mark.parametrize("start", [STARTS["a good file"], STARTS["a damaged file"]], ids=["good", "damaged"])
def test_an_interrupt_at_any_line_leaves_a_whole_file(store: Store, path: Path, start: bytes | None) -> None:
    class Interrupter:
        def __init__(self, line: int) -> None:
            self.left = line

        def __call__(self, frame: FrameType, event: str, _: object) -> "Interrupter | None":
            if not frame.f_code.co_filename.startswith(SOURCES):
                return None
            self.left -= event == "line"
            if self.left == 0:
                self.left = -1
                raise KeyboardInterrupt
            return self

    line = 0
    interrupted = True
    while interrupted:
        line += 1
        begin(path, start)
        interrupter, before = Interrupter(line), sys.gettrace()
        sys.settrace(interrupter)
        try:
            add(store, "/new")
            interrupted = False
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        assert_old_or_new(path, start)
        assert_next_write_works(store, path, start)
    assert line > 50


CALLS = ["open", "fchmod", "write", "fsync", "close", "replace", "unlink", "read", "fstat", "lstat", "mkdir", "listdir"]


class FailOnce:
    """A system call that fails the ``nth`` time."""

    def __init__(self, call: str, number: int, nth: int) -> None:
        self.real: Callable[..., object] = getattr(os, call)
        self.is_close = call == "close"
        self.number = number
        self.left = nth

    def __call__(self, *arguments: object, **options: object) -> object:
        self.left -= 1
        if self.left:
            return self.real(*arguments, **options)
        if self.is_close:  # it is closed all the same
            self.real(*arguments)
        raise OSError(self.number, os.strerror(self.number))


def failure(store: Store) -> str:
    """Add, and return what the error says, if there is one."""
    try:
        add(store, "/new")
    except CacheError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
@pytest.mark.parametrize("call", CALLS)
def test_any_call_may_fail(
    store: Store, path: Path, start: bytes | None, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (errno.EIO, errno.EACCES):
        nth, reached = 1, True
        while reached:
            fault = FailOnce(call, number, nth)
            begin(path, start)
            with monkeypatch.context() as patch:
                patch.setattr(os, call, fault)
                said = failure(store)
            if said:
                assert os.strerror(number) in said
                assert str(path.parent) in said
                written = path.exists() and b"/new" in path.read_bytes()
                assert not written or "is written, but" in said or "could not release" in said
            assert_old_or_new(path, start)
            assert_next_write_works(store, path, start)
            nth, reached = nth + 1, fault.left <= 0


def test_data_and_names_reach_the_disk_in_order(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(path, STARTS["a damaged file"])
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor: int) -> None:
        done.append("flush folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "flush file")
        fsync(descriptor)

    def record_replace(source: Path, target: Path) -> None:
        done.append(target.name.partition("damaged-")[0])
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    add(store, "/new")
    assert done == [
        *("flush file", "cache.json.", "flush folder"),
        *("flush file", "cache.json", "flush folder"),
        "cache.json.last-good",
    ]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_folder_that_cannot_be_flushed_is_as_good(
    store: Store, path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    add(store, "/new")
    assert store.read()["venvs"] == {"/new": {}}
    assert path.exists()


FILL = """
import json, resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
before = store.path.read_bytes()
limit = 0
while True:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        store.update(lambda document: document["venvs"].update({"/new": {"x": "y" * 100}}))
        break
    except CacheError as error:
        assert "could not write" in str(error) and str(store.path) in str(error), error
    assert store.path.read_bytes() == before
    assert {entry.name for entry in store.path.parent.iterdir()} == set(sys.argv[2:])
    limit += 3
assert json.loads(store.path.read_bytes())["venvs"].keys() == {"/old", "/new"}
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(limit)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="there is no limit for the size of files")
def test_a_disk_that_is_full_at_any_byte_leaves_the_old_file(store: Store, path: Path) -> None:
    add(store, "/old")
    assert int(writers.run(path, FILL, *CLEAN)) >= path.stat().st_size


READ_ONLY = """
before = set(store.path.parent.iterdir())
assert store.read()["venvs"] == {"/old": {}}
try:
    store.update(lambda document: document["venvs"].clear())
except CacheError as error:
    print(error)
assert store.read()["venvs"] == {"/old": {}}
assert set(store.path.parent.iterdir()) == before
"""


def without_privileges() -> list[str]:
    """Return what a command has to be preceded by, so that modes apply to it."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("modes mean nothing to root, and there is no setpriv")
    return [setpriv, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


@pytest.mark.parametrize("lock_exists", [True, False])
def test_a_read_only_folder_can_be_read(store: Store, path: Path, lock_exists: bool) -> None:  # noqa: FBT001
    add(store, "/old")
    if not lock_exists:
        store.lock_path.unlink()
    path.parent.chmod(0o555)
    try:
        done = subprocess.run(
            [*without_privileges(), *writers.command(path, READ_ONLY)],
            env=os.environ | writers.ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        path.parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"could not {'write' if lock_exists else 'lock'} {path.parent}")
    assert "Permission denied" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_lock_of_another_user_is_explained(store: Store, path: Path) -> None:
    add(store, "/old")
    os.chown(store.lock_path, 65534, 65534)
    done = subprocess.run(
        [*without_privileges(), *writers.command(path, READ_ONLY)],
        env=os.environ | writers.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "belongs to another user (uid 65534)" in done.stdout


class Shared:
    """An operation that Windows refuses ``times`` times, because another process has the file open."""

    def __init__(self, real: Callable[..., object], times: int, winerror: int) -> None:
        self.real, self.times, self.winerror = real, times, winerror

    def __call__(self, *arguments: object) -> object:
        if self.times:
            self.times -= 1
            error = PermissionError(errno.EACCES, "in use")
            error.winerror = self.winerror  # type: ignore[attr-defined]  # only Windows has it
            raise error
        return self.real(*arguments)


@pytest.mark.parametrize("winerror", [5, 32, 33])
def test_a_file_that_is_open_elsewhere_is_tried_again(
    store: Store, winerror: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", Shared(os.replace, 3, winerror))
    add(store, "/new")
    real = os.open
    monkeypatch.setattr(os, "open", Shared(real, 3, winerror))
    assert store.read()["venvs"] == {"/new": {}}


@pytest.mark.parametrize("winerror", [5, 6])
def test_a_file_that_stays_open_elsewhere_is_an_error(
    store: Store, path: Path, winerror: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_file, "_SHARING_SECONDS", 0.02)
    monkeypatch.setattr(os, "replace", Shared(os.replace, 1_000_000, winerror))
    with pytest.raises(CacheError, match=r"could not write .*: in use"):
        add(store, "/new")
    assert not path.exists()
