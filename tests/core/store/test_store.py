"""The store as its users see it: what it keeps, how, and that it keeps everything when many write."""

import json
import os
import re
import signal
import stat
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prime_uve.core.store import Store
from prime_uve.errors import CacheError
from tests.core import writers

OTHER_UID = 65534
Operation = Callable[[Store], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "registry" / "cache.json"


@pytest.fixture
def store(path: Path) -> Store:
    return writers.store_at(path)


def add(store: Store, *names: str) -> None:
    def change(document: dict[str, Any]) -> None:
        for name in names:
            document["venvs"][name] = {"venv_path": f"/v{name}"}

    store.update(change)


def rows(store: Store) -> set[str]:
    return set(store.read()["venvs"])


def listing(folder: Path) -> set[str]:
    return {name.name for name in folder.iterdir()}


def test_a_missing_file_is_the_defaults_and_stays_missing(store: Store, tmp_path: Path) -> None:
    assert store.read() == {"version": "1.0", "venvs": {}}
    assert store.damaged_copies() == []
    assert not listing(tmp_path)


def test_what_is_read_is_the_readers_own(store: Store) -> None:
    store.read()["venvs"]["/a"] = {}
    assert store.read()["venvs"] == {}


def test_an_update_gives_what_the_change_returns(store: Store) -> None:
    assert store.update(lambda document: len(document["venvs"])) == 0


def test_the_layout_can_be_searched_without_json(store: Store, path: Path) -> None:
    add(store, "/a", "/b")
    assert path.read_bytes() == (
        b'{\n  "version": "1.0",\n  "venvs": {\n'
        b'    "/a": {"venv_path": "/v/a"},\n    "/b": {"venv_path": "/v/b"}\n  }\n}\n'
    )


def test_a_file_of_the_same_schema_is_read_as_it_is(store: Store, path: Path) -> None:
    path.parent.mkdir(parents=True)
    text = '{\n  "venvs": {\n    "/a": {\n      "venv_path": "/v"\n    }\n  },\n  "version": "1.0"\n}'
    path.write_text(text)
    assert store.read() == {"version": "1.0", "venvs": {"/a": {"venv_path": "/v"}}}
    assert store.update(lambda document: document["venvs"]["/a"]["venv_path"]) == "/v"
    assert path.read_text() == text
    assert listing(path.parent) == {"cache.json", "cache.lock"}


def test_a_change_that_changes_nothing_writes_nothing(store: Store, path: Path) -> None:
    add(store, "/a")
    before = path.stat()
    add(store, "/a")
    assert path.stat() == before


def test_a_change_that_fails_changes_nothing(store: Store, path: Path) -> None:
    add(store, "/a")
    before = path.read_bytes()

    def change(document: dict[str, Any]) -> None:
        document["venvs"].clear()
        raise LookupError

    with pytest.raises(LookupError):
        store.update(change)
    assert path.read_bytes() == before
    add(store, "/b")
    assert rows(store) == {"/a", "/b"}


def test_what_json_cannot_express_is_not_written(store: Store, path: Path) -> None:
    with pytest.raises(TypeError):
        store.update(lambda document: document["venvs"].update({"/a": {"path": Path("/a")}}))
    assert listing(path.parent) == {"cache.lock"}


def test_what_is_nested_too_deeply_is_not_written(store: Store, path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        for _ in range(100_000):
            document["venvs"] = {"/a": document["venvs"]}

    with pytest.raises(CacheError, match="nested too deeply"):
        store.update(change)
    assert listing(path.parent) == {"cache.lock"}


def test_unknown_members_survive_every_write(store: Store, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text('{"later": [1, {"a": null}], "version": "1.0", "venvs": {"/a": {"later": 1.5}}, "n": NaN}')
    add(store, "/b")
    document = store.read()
    assert document["later"] == [1, {"a": None}]
    assert document["venvs"] == {"/a": {"later": 1.5}, "/b": {"venv_path": "/v/b"}}
    assert document["n"] != document["n"]  # not a number
    assert path.read_bytes().startswith(b'{\n  "version": "1.0",\n')


def test_a_member_that_the_file_lacks_is_the_default(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text('{"version": "1.0", "venvs": {}}')
    assert Store(path, version="1.0", defaults={"venvs": {}, "kept": []}).read()["kept"] == []


@pytest.mark.parametrize("name", ["/é", "/\udce9", "/a b", '/"', "/$HOME", "/a\nb", "/😀", "/" + "x" * 4096])
def test_any_path_can_be_a_name(store: Store, path: Path, name: str) -> None:
    add(store, name)
    assert rows(store) == {name}
    assert path.read_bytes().isascii()


def test_a_lock_cannot_be_the_file_itself(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="same name"):
        writers.store_at(tmp_path / "cache.lock")


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
@pytest.mark.parametrize("umask", [0, 0o027, 0o377], ids=oct)
def test_files_and_folders_are_private_whatever_the_umask(store: Store, path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        add(store, "/a")
        path.write_bytes(b"{")
        add(store, "/b")
    finally:
        os.umask(before)
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert len(modes) == 4
    for folder in (path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_last_good_copy_is_a_file_of_its_own(store: Store, path: Path) -> None:
    add(store, "/a")
    copy = path.with_name("cache.json.last-good")
    assert copy.read_bytes() == path.read_bytes()
    assert not copy.samefile(path)


def test_a_file_that_was_removed_does_not_come_back(store: Store, path: Path) -> None:
    add(store, "/a")
    path.unlink()
    assert rows(store) == set()
    add(store, "/b")
    assert rows(store) == {"/b"}


def test_a_write_does_without_the_last_good_copy(store: Store, path: Path) -> None:
    path.with_name("cache.json.last-good").mkdir(parents=True)
    add(store, "/a")
    assert listing(path.parent) == {"cache.json", "cache.lock", "cache.json.last-good"}


def test_what_a_killed_writer_left_is_swept_and_nothing_else(store: Store, path: Path) -> None:
    path.parent.mkdir(parents=True)
    litter = [".cache.json.0123456789abcdef.tmp", ".cache.json.last-good.0123456789abcdef.tmp"]
    others = {
        ".cache.json.swp",
        "cache.json.0123456789abcdef.tmp",
        ".other.json.0123456789abcdef.tmp",
        ".cache.json.tmp",
    }
    for name in {*litter, *others}:
        path.with_name(name).touch()
    add(store, "/a")
    assert listing(path.parent) == {"cache.json", "cache.lock", "cache.json.last-good"} | others


def link(target: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def test_a_link_of_the_user_is_written_through(store: Store, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "synced" / "registry.json"
    target.parent.mkdir()
    writers.store_at(target).update(lambda document: document["venvs"].update({"/a": {}}))
    link(Path("../../synced/registry.json"), path.with_name("hop"))
    link(Path("hop"), path)
    add(store, "/b")
    assert path.is_symlink()
    assert rows(writers.store_at(target)) == {"/a", "/b"} == rows(store)
    assert not [name for name in listing(target.parent) if name.endswith(".tmp")]


def test_who_names_the_file_and_who_names_a_link_to_it_exclude_each_other(path: Path, tmp_path: Path) -> None:
    target, other = tmp_path / "synced" / "registry.json", tmp_path / "other" / "cache.json"
    writers.store_at(target).update(lambda document: document["venvs"].update({"/a": {}}))
    link(target, path)
    link(target, other)
    for held in (target, path):
        with writers.holder(held):
            for place in (target, other):
                with pytest.raises(CacheError, match=re.escape(f"held the lock {target.with_name('registry.lock')}")):
                    add(writers.store_at(place, timeout=0.2), "/b")
    add(writers.store_at(path), "/b")
    assert rows(writers.store_at(target)) == {"/a", "/b"}


def test_a_link_to_what_looks_like_a_lock_is_not_written_through(store: Store, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "registry.lock"
    target.write_text('{"version": "1.0", "venvs": {}}')
    link(target, path)
    with pytest.raises(CacheError, match="its lock would have the same name"):
        add(store, "/b")
    assert target.read_text() == '{"version": "1.0", "venvs": {}}'


@pytest.mark.parametrize("operation", [Store.read, lambda store: add(store, "/a")], ids=["read", "update"])
class TestWhatIsNoRegistry:
    def test_a_link_of_another_user(
        self, store: Store, path: Path, tmp_path: Path, operation: Operation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = tmp_path / "victim"
        target.write_text('{"version": "1.0", "venvs": {}}')
        link(target, path)
        if os.geteuid() == 0:
            os.lchown(path, OTHER_UID, OTHER_UID)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: OTHER_UID)
        with pytest.raises(CacheError, match="link of another user"):
            operation(store)

    @pytest.mark.parametrize("target", ["nowhere", "nowhere/cache.json"])
    def test_a_link_to_nowhere_is_not_an_empty_registry(
        self, store: Store, path: Path, operation: Operation, target: str
    ) -> None:
        link(Path(target), path)
        with pytest.raises(CacheError, match="not there: restore"):
            operation(store)

    def test_a_folder_that_is_a_link_to_nowhere(self, store: Store, path: Path, operation: Operation) -> None:
        link(Path("nowhere"), path.parent)
        with pytest.raises(CacheError, match="not there: restore"):
            operation(store)

    def test_a_link_in_a_circle(self, store: Store, path: Path, operation: Operation) -> None:
        link(Path(path.name), path)
        with pytest.raises(CacheError, match="circle"):
            operation(store)

    @pytest.mark.parametrize("kind", ["folder", "FIFO", "device", "below a file"])
    def test_what_is_no_regular_file(self, path: Path, tmp_path: Path, operation: Operation, kind: str) -> None:
        path.parent.mkdir(parents=True)
        match kind:
            case "folder":
                path.mkdir()
            case "FIFO":
                os.mkfifo(path)
            case "device":
                path.symlink_to("/dev/zero")
            case _:
                (tmp_path / "file").touch()
                path = tmp_path / "file" / "cache.json"
        with pytest.raises(CacheError, match="could not"):
            operation(writers.store_at(path))

    def test_a_file_that_is_too_large_is_left_as_it_is(self, store: Store, path: Path, operation: Operation) -> None:
        path.parent.mkdir(parents=True)
        path.touch()
        os.truncate(path, 1 << 40)
        with pytest.raises(CacheError, match="larger than 128 MiB"):
            operation(store)
        assert path.stat().st_size == 1 << 40


ADD_MANY = """
for number in range(int(sys.argv[3])):
    store.update(lambda document: document["venvs"].update({f"/{sys.argv[2]}/{number}": {}}))
"""


def together(jobs: list[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()


def test_eight_processes_lose_no_update(store: Store, path: Path) -> None:
    together([partial(writers.run, path, ADD_MANY, str(who), "50") for who in range(8)])
    assert rows(store) == {f"/{who}/{number}" for who in range(8) for number in range(50)}
    assert listing(path.parent) == {"cache.json", "cache.lock", "cache.json.last-good"}


def test_eight_threads_lose_no_update(store: Store) -> None:
    names = {who: [f"/{who}/{number}" for number in range(10)] for who in range(8)}

    def add_each(who: int) -> None:
        for name in names[who]:
            add(store, name)

    together([partial(add_each, who) for who in names])
    assert rows(store) == {name for mine in names.values() for name in mine}


def test_adds_and_removals_of_processes_do_not_undo_each_other(store: Store, path: Path) -> None:
    add(store, *(f"/old/{number}" for number in range(40)))
    remove = 'for number in range(40):\n    store.update(lambda document: document["venvs"].pop(f"/old/{number}"))'
    together([partial(writers.run, path, script, "new", "40") for script in (ADD_MANY, remove)])
    assert rows(store) == {f"/new/{number}" for number in range(40)}


FORK = """
import os
store.read()
def add(name):
    for number in range(20):
        store.update(lambda document: document["venvs"].update({f"/{name}/{number}": {}}))
def in_the_lock(document):
    pid = os.fork()
    if pid == 0:
        try:
            Store(store.path, version="1.0", defaults={"venvs": {}}, timeout=0).update(lambda document: None)
        except CacheError:
            os._exit(0)
        os._exit(1)
    return os.waitpid(pid, 0)[1]
assert store.update(in_the_lock) == 0
child = os.fork()
add("child" if child == 0 else "parent")
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_store_works_on_both_sides_of_a_fork(store: Store, path: Path) -> None:
    writers.run(path, FORK)
    assert rows(store) == {f"/{who}/{number}" for who in ("child", "parent") for number in range(20)}


INTRUDE = """
import subprocess
calls = []
def change(document):
    calls.append(1)
    if len(calls) == 1:
        store.lock_path.unlink()
        subprocess.run([sys.executable, *sys.argv[2:]], check=True)
    document["venvs"]["/mine"] = {}
store.update(change)
print(len(calls))
"""


def test_a_writer_that_got_past_the_lock_is_not_overwritten(store: Store, path: Path) -> None:
    add(store, "/a")
    intruder = writers.command(path, ADD_MANY, "other", "1")[1:]
    assert writers.run(path, INTRUDE, *intruder) == "2\n"
    assert rows(store) == {"/a", "/mine", "/other/0"}


def test_a_file_that_changes_all_the_time_is_an_error(store: Store, path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        others: dict[str, object] = {f"/{number}": {} for number in range(len(document["venvs"]) + 1)}
        path.write_text(json.dumps({"version": "1.0", "venvs": others}))
        document["venvs"]["/mine"] = {}

    with pytest.raises(CacheError, match="keeps changing it without the lock"):
        store.update(change)
    assert "/mine" not in rows(store)


def test_a_read_waits_for_no_writer_and_creates_nothing(store: Store, path: Path) -> None:
    add(store, "/a")
    with writers.holder(path):
        before = listing(path.parent)
        assert rows(store) == {"/a"}
        assert listing(path.parent) == before


def test_readers_see_an_old_or_a_new_document_only(store: Store, path: Path) -> None:
    add(store, "/a/0")
    seen = [0]
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(writers.run, path, ADD_MANY, "a", "100")
        while not writer.done():
            names = list(store.read()["venvs"])
            assert names == [f"/a/{number}" for number in range(len(names))]
            seen.append(len(names))
        writer.result()
    assert seen == sorted(seen)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")
class TestALockThatIsHeld:
    def test_says_what_to_do(self, path: Path) -> None:
        with writers.holder(path) as process, pytest.raises(CacheError) as caught:
            writers.store_at(path, timeout=0.05).update(lambda document: document["venvs"].clear())
        text = str(caught.value)
        assert str(path.with_name("cache.lock")) in text
        assert "for 0.05 s" in text
        assert "do not delete the file" in text
        assert "(pid " not in text or f"(pid {process.pid})" in text

    @pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells")
    def test_names_its_holder_even_when_that_is_stopped(self, path: Path) -> None:
        with writers.holder(path) as process:
            lock = path.with_name("cache.lock")
            if f":{lock.stat().st_ino} " not in Path("/proc/locks").read_text():
                pytest.skip("this file system has other numbers in /proc/locks")
            process.send_signal(signal.SIGSTOP)
            with pytest.raises(CacheError, match=rf"\(pid {process.pid}\)"):
                writers.store_at(path, timeout=0.05).update(lambda document: document["venvs"].clear())

    def test_is_free_when_its_holder_is_killed(self, store: Store, path: Path) -> None:
        add(store, "/a")
        with writers.holder(path) as process:
            process.kill()
            process.wait()
            add(store, "/b")
        assert rows(store) == {"/a", "/b"}

    def test_is_not_followed_where_it_is_a_link(self, store: Store, path: Path, tmp_path: Path) -> None:
        link(tmp_path / "victim", path.with_name("cache.lock"))
        with pytest.raises(CacheError, match="symbolic link"):
            add(store, "/a")
        assert not (tmp_path / "victim").exists()
