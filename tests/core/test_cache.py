"""The registry as its users see it: real files, real processes."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prime_uve.core.cache import Cache, CacheError, ValidationResult, new_row, project_key, put
from prime_uve.core.inventory import take_inventory
from tests.core import checkouts
from tests.core.checkouts import ENVIRONMENT, LONG_AGO, add, child, output
from tests.privileges import unprivileged

STAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
SIX_FIELDS = ["venv_path", "venv_path_expanded", "project_name", "path_hash", "created_at", "last_validated"]
NEWER = b'{"version": "2.0", "venvs": {"/p": {"venv_path": "/v"}}, "more": 1}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry" / "cache.json"


@pytest.fixture
def cache(path: Path) -> Cache:
    return Cache(path)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout whose environment exists; nothing is registered."""
    checkouts.make_environment()
    return checkouts.make(tmp_path / "checkout")


def written(path: Path) -> dict[str, Any]:
    """Return the rows as they are in the file."""
    rows: dict[str, Any] = json.loads(path.read_bytes())["venvs"]
    return rows


def begin(path: Path, content: bytes | str | dict[str, Any]) -> bytes:
    """Write a registry, rows or bytes, by other hands than ours, and return its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps({"version": "1.0", "venvs": content}, indent=2)
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(raw)
    return raw


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return what is in a folder, so that replaced files show."""
    return {entry.name: (entry.stat().st_ino, entry.read_bytes()) for entry in folder.iterdir()}


# Basic operations


def test_add_mapping(cache: Cache, path: Path, checkout: Path) -> None:
    cache.add_mapping(project_path=checkout, venv_path=ENVIRONMENT, project_name="checkout", path_hash="0123abcd")
    row = written(path)[str(checkout)]
    assert list(row)[:6] == SIX_FIELDS
    assert row["venv_path"] == ENVIRONMENT
    assert row["project_name"] == "checkout"
    assert row["path_hash"] == "0123abcd"
    assert STAMP.fullmatch(row["created_at"])
    assert row["last_validated"] == row["created_at"]
    assert json.loads(path.read_bytes())["version"] == "1.0"


def test_get_mapping(cache: Cache, path: Path, home: Path, checkout: Path) -> None:
    add(cache, checkout)
    mapping = cache.get_mapping(checkout)
    assert mapping is not None
    assert mapping == written(path)[str(checkout)]
    assert mapping["venv_path_expanded"] == f"{home}/prime-uve/venvs/demo_0a1b2c3d"


def test_get_mapping_not_found(cache: Cache, path: Path, checkout: Path) -> None:
    assert cache.get_mapping(checkout) is None
    assert not path.parent.exists()
    add(cache, checkout)
    assert cache.get_mapping(checkout.parent) is None


def test_remove_mapping(cache: Cache, path: Path, checkout: Path, tmp_path: Path) -> None:
    other = checkouts.make(tmp_path / "other")
    add(cache, checkout)
    add(cache, other, "/elsewhere/x")
    assert cache.remove_mapping(checkout) is True
    assert list(written(path)) == [str(other)]
    assert checkout.is_dir()
    assert (Path.home() / "prime-uve/venvs/demo_0a1b2c3d/pyvenv.cfg").exists()


def test_remove_mapping_not_found(cache: Cache, path: Path, checkout: Path) -> None:
    assert cache.remove_mapping(checkout) is False
    add(cache, checkout)
    before = state(path.parent)
    assert cache.remove_mapping(checkout.parent) is False
    assert state(path.parent) == before


def test_list_all_empty(cache: Cache, path: Path) -> None:
    assert cache.list_all() == {}
    assert not path.parent.exists()


def test_list_all_multiple(cache: Cache, tmp_path: Path) -> None:
    projects = [checkouts.make(tmp_path / name, f"${{HOME}}/prime-uve/venvs/{name}") for name in "abc"]
    for project in projects:
        add(cache, project, f"${{HOME}}/prime-uve/venvs/{project.name}")
    listed = cache.list_all()
    assert list(listed) == [str(project) for project in projects]
    assert listed == {str(project): cache.get_mapping(project) for project in projects}


def test_clear(cache: Cache, path: Path, checkout: Path) -> None:
    begin(path, '{"version": "1.0", "venvs": {"/a": {}, "/b": 5}, "other": [1]}')
    add(cache, checkout)
    cache.clear()
    assert cache.list_all() == {}
    assert json.loads(path.read_bytes()) == {"version": "1.0", "venvs": {}, "other": [1]}


# Persistence


def test_persistence_across_instances(cache: Cache, path: Path, checkout: Path, tmp_path: Path) -> None:
    add(cache, checkout)
    assert Cache(path).get_mapping(checkout) == cache.get_mapping(checkout)
    script = (
        "import sys; from pathlib import Path; from prime_uve.core.cache import Cache\n"
        "print(Cache(Path(sys.argv[1])).get_mapping(Path(sys.argv[2]))['venv_path'])"
    )
    assert output(child(script, path, checkout, cwd=tmp_path)) == f"{ENVIRONMENT}\n"


def test_cache_created_if_missing(home: Path, checkout: Path) -> None:
    path = home / ".prime-uve/cache.json"
    assert Cache().path == path
    assert not path.parent.exists()
    add(Cache(), checkout)
    assert list(written(path)) == [str(checkout)]


def test_cache_directory_created(tmp_path: Path, checkout: Path) -> None:
    path = tmp_path / "not" / "yet" / "there" / "cache.json"
    add(Cache(path), checkout)
    assert path.is_file()


# Validation


def test_validate_mapping_valid(cache: Cache, checkout: Path) -> None:
    add(cache, checkout)
    result = cache.validate_mapping(checkout)
    assert result == ValidationResult("valid", [])
    assert (result.is_valid, result.is_orphaned, result.has_mismatch) == (True, False, False)


def test_validate_mapping_project_missing(cache: Cache, checkout: Path) -> None:
    add(cache, checkout)
    shutil.rmtree(checkout)
    result = cache.validate_mapping(checkout)
    assert result.is_orphaned
    assert result.issues == [f"the project '{checkout}' is gone; forget it: prime-uve unregister '{checkout}'"]


def test_validate_mapping_venv_missing(cache: Cache, checkout: Path, home: Path) -> None:
    add(cache, checkout)
    shutil.rmtree(home / "prime-uve")
    result = cache.validate_mapping(checkout)
    assert result.is_orphaned
    (issue,) = result.issues
    assert f"'{home}/prime-uve/venvs/demo_0a1b2c3d' does not exist" in issue
    assert f"uve sync --project '{checkout}'" in issue


def test_validate_mapping_env_file_missing(cache: Cache, checkout: Path) -> None:
    add(cache, checkout)
    (checkout / ".env.uve").unlink()
    result = cache.validate_mapping(checkout)
    assert result.is_orphaned
    assert result.issues == [f"'{checkout}' has no .env.uve; write one: prime-uve init '{checkout}'"]


def test_validate_mapping_path_mismatch(cache: Cache, checkout: Path, home: Path) -> None:
    add(cache, checkout)
    (checkout / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/changed\n")
    result = cache.validate_mapping(checkout)
    assert result.has_mismatch
    assert not result.is_valid
    (issue,) = result.issues
    assert f"the registry has '{home}/prime-uve/venvs/demo_0a1b2c3d'" in issue
    assert f"names '{home}/prime-uve/venvs/changed'" in issue
    assert "prime-uve register --accept" in issue
    assert f"prime-uve init --force --venv-dir '{home}/prime-uve/venvs/demo_0a1b2c3d' '{checkout}'" in issue


def test_validate_all(cache: Cache, checkout: Path, tmp_path: Path) -> None:
    gone, mismatched = (checkouts.make(tmp_path / name) for name in ("gone", "mismatched"))
    for project in (checkout, gone):
        add(cache, project)
    add(cache, mismatched, "${HOME}/prime-uve/venvs/another")
    shutil.rmtree(gone)
    results = cache.validate_all()
    assert {project: result.status for project, result in results.items()} == {
        str(checkout): "valid",
        str(gone): "orphaned",
        str(mismatched): "mismatch",
    }
    assert results == {project: cache.validate_mapping(Path(project)) for project in results}


@pytest.mark.parametrize("gone", [False, True], ids=["valid", "orphaned"])
def test_validation_updates_last_validated(
    cache: Cache, path: Path, checkout: Path, tmp_path: Path, *, gone: bool
) -> None:
    other = checkouts.make(tmp_path / "other")
    add(cache, checkout)
    add(cache, other)
    if gone:
        shutil.rmtree(checkout)
    cache.validate_mapping(checkout)
    rows = written(path)
    age = datetime.now(UTC) - datetime.fromisoformat(rows[str(checkout)]["last_validated"])
    assert timedelta(0) <= age < timedelta(minutes=5)
    assert rows[str(checkout)]["created_at"] == LONG_AGO
    assert rows[str(other)]["last_validated"] == LONG_AGO


def test_what_is_not_registered_is_an_error(cache: Cache, path: Path, checkout: Path) -> None:
    result = cache.validate_mapping(checkout)
    assert result == ValidationResult(
        "error", [f"'{checkout}' is not registered; register it: prime-uve init '{checkout}'"]
    )
    assert not path.parent.exists()


def test_an_empty_registry_is_validated_without_being_made(cache: Cache, path: Path) -> None:
    assert cache.validate_all() == {}
    assert not path.parent.exists()


def test_a_second_validation_within_the_second_writes_nothing_wrong(cache: Cache, checkout: Path) -> None:
    add(cache, checkout)
    for _ in range(3):
        assert cache.validate_mapping(checkout).is_valid


COUNT = """
import sys
from collections import Counter
from pathlib import Path
from prime_uve.core.cache import Cache
cache, seen = Cache(Path(sys.argv[1])), Counter()
def hook(event, arguments):
    if event in ("open", "os.rename"):
        name = Path(arguments[event == "os.rename"]).name
        writes = event == "os.rename" or bool(arguments[2] & 3)
        seen[("write" if writes else "read", name)] += 1
sys.addaudithook(hook)
assert len(cache.validate_all()) == int(sys.argv[2])
print(seen["read", "cache.json"], seen["write", "cache.json"])
"""


@pytest.mark.parametrize("count", [1, 40], ids=["one mapping", "forty mappings"])
def test_validating_reads_and_writes_the_registry_once_whatever_its_size(
    cache: Cache, path: Path, tmp_path: Path, count: int
) -> None:
    def fill(rows: dict[str, Any]) -> None:
        for number in range(count):
            project = str(checkouts.make(tmp_path / "many" / str(number)))
            rows[project] = new_row(project, ENVIRONMENT, "n", "h") | {"last_validated": LONG_AGO}

    cache.edit(fill)
    # Once to look, and in the transaction once to change and once to compare before it is replaced.
    assert output(child(COUNT, path, str(count), cwd=tmp_path)) == "3 1\n"
    assert all(row["last_validated"] != LONG_AGO for row in written(path).values())


ADD_FIFTY = """
import sys
from pathlib import Path
from prime_uve.core.cache import Cache
cache, who = Cache(Path(sys.argv[1]), lock_timeout=60), sys.argv[2]
for number in range(50):
    cache.add_mapping(Path(f"/projects/{who}/{number}"), f"${{HOME}}/{who}-{number}", "n", "h")
"""
HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
FORK = """
import os, sys
from pathlib import Path
from prime_uve.core.cache import Cache
cache = Cache(Path(sys.argv[1]), lock_timeout=60)
cache.list_all()
def add(who):
    for number in range(10):
        cache.add_mapping(Path(f"/projects/{who}/{number}"), f"/{who}", "n", "h")
pid = os.fork()
add("parent" if pid else "child")
if pid:
    assert os.waitpid(pid, 0)[1] == 0
"""


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Have another process hold the lock, by the library that older versions use as well."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.stdin.close()


def together(jobs: list[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()


# Concurrency


def test_concurrent_writes(tmp_path: Path, path: Path) -> None:
    together([partial(child, ADD_FIFTY, path, str(who), cwd=tmp_path) for who in range(8)])
    wanted = {f"/projects/{who}/{number}": f"${{HOME}}/{who}-{number}" for who in range(8) for number in range(50)}
    assert len(wanted) == 400
    assert {project: row["venv_path"] for project, row in written(path).items()} == wanted


def test_lock_timeout(path: Path, checkout: Path) -> None:
    cache = Cache(path, lock_timeout=0.2)
    add(cache, checkout)
    before = state(path.parent)
    lock = path.with_name("cache.lock")
    with held(lock):
        for write in (lambda: add(cache, checkout, "/v"), cache.clear, lambda: cache.remove_mapping(checkout)):
            with pytest.raises(CacheError, match=rf"has held the lock {re.escape(str(lock))} for 0\.2 s: wait"):
                write()
        assert state(path.parent) == before
        assert cache.get_mapping(checkout) == cache.list_all()[str(checkout)]
        assert cache.validate_mapping(checkout).is_valid
    assert cache.remove_mapping(checkout)


def test_the_lock_can_be_tried_without_a_write(cache: Cache, path: Path) -> None:
    path.parent.mkdir()
    assert cache.lock_path == path.with_name("cache.lock")
    cache.probe_lock(0.1)
    with held(cache.lock_path), pytest.raises(CacheError, match=re.escape(str(cache.lock_path))):
        cache.probe_lock(0.1)
    assert not path.exists()


def test_the_timeout_is_ten_seconds_where_nobody_says_otherwise() -> None:
    assert inspect.signature(Cache).parameters["lock_timeout"].default == 10.0


def test_threads_that_share_a_cache_lose_nothing(cache: Cache, path: Path) -> None:
    def add_some(who: int) -> None:
        for number in range(8):
            cache.add_mapping(Path(f"/projects/{who}/{number}"), "/v", "n", "h")
            cache.validate_mapping(Path(f"/projects/{who}/{number}"))

    together([partial(add_some, who) for who in range(6)])
    assert set(written(path)) == {f"/projects/{who}/{number}" for who in range(6) for number in range(8)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_cache_that_was_made_before_a_fork_works_on_both_sides(path: Path, tmp_path: Path) -> None:
    output(child(FORK, path, cwd=tmp_path))
    assert set(written(path)) == {f"/projects/{who}/{n}" for who in ("parent", "child") for n in range(10)}


def has_open(path: Path) -> bool:
    """Tell whether this process has a file open."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("nothing tells what a process has open")
    for descriptor in descriptors.iterdir():
        with suppress(FileNotFoundError):
            if os.readlink(descriptor) == str(path):
                return True
    return False


def test_a_mapping_that_was_removed_meanwhile_is_not_brought_back_by_its_stamp(
    cache: Cache, path: Path, checkout: Path, tmp_path: Path
) -> None:
    other = checkouts.make(tmp_path / "other")
    add(cache, checkout)
    add(cache, other)
    with ThreadPoolExecutor(1) as pool:
        with held(path.with_name("cache.lock")):
            results = pool.submit(Cache(path, lock_timeout=60).validate_all)
            # It has read the registry when it waits for the lock; on a busy machine it may have given that up.
            while not (has_open(path.with_name("cache.lock")) or results.done()):
                pass
            begin(path, {str(other): written(path)[str(other)]})
        assert set(results.result()) == {str(checkout), str(other)}
    assert list(written(path)) == [str(other)]


DAMAGES = {
    "empty": b"",
    "garbage": b"\x00\xff not JSON",
    "cut in the middle": b'{"version": "1.0", "venvs": {"/whole": {"venv_path": "/v"}, "/cut": {"venv_pa',
    "a merge conflict": b'<<<<<<< ours\n{"version": "1.0", "venvs": {}}\n>>>>>>> theirs\n',
    "a list": b"[]",
    "venvs is a list": b'{"version": "1.0", "venvs": []}',
}
WRONG_ROWS: dict[str, Any] = {
    "null": None,
    "a number": 5,
    "text": "/v",
    "a list": [{"venv_path": "/v"}],
    "an empty object": {},
    "fields of wrong types": {
        "venv_path": 1,
        "venv_path_expanded": [],
        "project_name": None,
        "path_hash": {},
        "created_at": 0,
        "last_validated": True,
        "mount": 1,
        "parent_inode": "2",
    },
    "a NUL in its path": {"venv_path": "/v\0", "mount": "\0", "parent_inode": -1},
    "an empty path": {"venv_path": ""},
    "a relative path": {"venv_path": "demo"},
    "half a character": {"venv_path": "/\ud800", "project_name": "\udc80"},
    "a path that is too long": {"venv_path": "/v" * 4000},
    "a deep path": {"venv_path": "/v/" + "../" * 2000},
}


# Edge cases


@pytest.mark.parametrize("raw", DAMAGES.values(), ids=DAMAGES.keys())
def test_corrupted_cache_file(
    cache: Cache, path: Path, checkout: Path, capfd: pytest.CaptureFixture[str], raw: bytes
) -> None:
    begin(path, raw)
    readable = cache.list_all()
    assert set(readable) <= {"/whole"}
    assert path.read_bytes() == raw
    assert f"{path} is damaged" in capfd.readouterr().err
    add(cache, checkout)
    assert set(cache.list_all()) == {*readable, str(checkout)}
    kept = [entry for entry in path.parent.iterdir() if entry.name.startswith("cache.json.damaged-")]
    assert [entry.read_bytes() for entry in kept] == [raw]


def test_missing_fields_in_mapping(cache: Cache, path: Path, checkout: Path) -> None:
    begin(path, {str(checkout): {"venv_path": ENVIRONMENT}})
    mapping = cache.get_mapping(checkout)
    assert mapping is not None
    assert set(mapping) == {"venv_path", "venv_path_expanded"}
    assert cache.validate_mapping(checkout).is_valid
    add(cache, checkout)
    assert set(SIX_FIELDS) <= written(path)[str(checkout)].keys()


def test_update_existing_mapping(cache: Cache, path: Path, checkout: Path) -> None:
    add(cache, checkout)
    cache.add_mapping(checkout, "/elsewhere/demo", "renamed", "ffffffff")
    row = written(path)[str(checkout)]
    assert row["created_at"] == LONG_AGO
    assert row["last_validated"] > LONG_AGO
    assert [row[name] for name in SIX_FIELDS[:4]] == ["/elsewhere/demo", "/elsewhere/demo", "renamed", "ffffffff"]


def test_long_project_paths(cache: Cache, path: Path) -> None:
    # Kept short of the 4096 bytes that a path may have, with room for `.env.uve.local`.
    with tempfile.TemporaryDirectory() as folder:
        room = 4060 - len(os.path.realpath(folder))
        project = Path(os.path.realpath(folder), *(["d" * 200] * (room // 201)))
        checkouts.make_environment()
        checkouts.make(project)
        assert len(str(project)) > 3800
        add(cache, project)
        assert cache.get_mapping(project) == written(path)[str(project)]
        assert cache.validate_mapping(project).is_valid
        assert cache.remove_mapping(project)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("two words", id="a blank"),
        pytest.param("größe 日本 😀", id="other scripts"),
        pytest.param("e\u0301", id="a combining mark"),
        pytest.param('it\'s "so"', id="quotes"),
        pytest.param("$HOME ${HOME} `x`", id="what a shell would expand"),
        pytest.param("line\nbreak\ttab\r", id="control characters"),
        pytest.param("back\\slash", id="a backslash"),
        pytest.param("-rf", id="an option"),
        pytest.param("\udcff\udc80", id="bytes that are not UTF-8"),
        pytest.param("#%;,{}", id="punctuation"),
    ],
)
def test_special_chars_in_paths(cache: Cache, path: Path, tmp_path: Path, name: str) -> None:
    checkouts.make_environment()
    project = checkouts.make(tmp_path / name)
    add(cache, project)
    assert list(Cache(path).list_all()) == [str(project)]
    assert Cache(path).get_mapping(project) is not None
    assert cache.validate_mapping(project).is_valid
    assert [row.project for row in take_inventory(cache).registered] == [str(project)]
    (project / ".env.uve").unlink()
    (issue,) = cache.validate_all()[str(project)].issues
    assert repr(str(project)) in issue
    assert cache.remove_mapping(project)


@pytest.mark.parametrize("row", WRONG_ROWS.values(), ids=WRONG_ROWS.keys())
def test_a_row_of_wrong_types_breaks_nothing_and_survives(
    cache: Cache, path: Path, checkout: Path, tmp_path: Path, row: object
) -> None:
    broken, gone = checkouts.make(tmp_path / "broken"), tmp_path / "gone"
    begin(path, {str(broken): row, str(gone): row})
    add(cache, checkout)
    for project in (broken, gone):
        found = cache.get_mapping(project)
        assert found is None or isinstance(row, dict)
        assert (found is not None) == (str(project) in cache.list_all())
        assert cache.validate_mapping(project).status == "error"
    results = cache.validate_all()
    assert results[str(checkout)].is_valid
    assert results[str(broken)].status == "error"
    kept = written(path)[str(gone)]
    if isinstance(row, dict):
        assert {**kept, "last_validated": None} == {**row, "last_validated": None}
    else:
        assert kept == row
    assert cache.remove_mapping(gone)
    add(cache, broken)
    assert cache.validate_mapping(broken).is_valid


def test_damage_counts_as_unseen_until_it_is_acknowledged(cache: Cache, path: Path, checkout: Path) -> None:
    cache.acknowledge_damage()
    assert not path.exists()
    for raw in (b"{", b"[]"):
        begin(path, raw)
        add(cache, checkout)
        assert [copy.read_bytes() for copy in cache.unseen_damage()] == [raw]
        cache.acknowledge_damage()
        assert cache.unseen_damage() == []
    assert [copy.read_bytes() for copy in cache.damaged_copies()] == [b"{", b"[]"]
    assert list(cache.list_all()) == [str(checkout)]


def test_what_we_do_not_know_survives_every_write(cache: Cache, path: Path, checkout: Path) -> None:
    begin(
        path,
        json.dumps(
            {
                "version": "1.0",
                "later": {"x": [1]},
                "venvs": {
                    str(checkout): {"venv_path": "/v", "tags": ["a"]},
                    "/p": {"venv_path": "/w", "pin": None},
                },
            }
        ),
    )
    add(cache, checkout)
    cache.validate_all()
    cache.migrate_if_needed()
    document = json.loads(path.read_bytes())
    assert document["later"] == {"x": [1]}
    assert document["venvs"][str(checkout)]["tags"] == ["a"]
    assert document["venvs"]["/p"]["pin"] is None


def test_what_is_returned_is_a_copy(cache: Cache, checkout: Path) -> None:
    add(cache, checkout)
    mapping = cache.get_mapping(checkout)
    assert mapping is not None
    mapping["venv_path"] = "changed"
    cache.list_all()[str(checkout)].clear()
    assert cache.list_all()[str(checkout)]["venv_path"] == ENVIRONMENT


def test_a_witness_that_no_longer_holds_does_not_outlive_an_update(checkout: Path) -> None:
    rows: dict[str, Any] = {"/p": {"mount": "/old", "parent_inode": 1, "created_at": LONG_AGO}}
    put(rows, "/p", new_row("/not/there/p", "/v", "n", "h"))
    assert rows["/p"].keys() == set(SIX_FIELDS)
    assert rows["/p"]["created_at"] == LONG_AGO
    put(rows, "/p", new_row(str(checkout), "/v", "n", "h"))
    assert rows["/p"]["parent_inode"] == checkout.parent.stat().st_ino


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5), st.lists, max_leaves=4
)
field_names = st.sampled_from([*SIX_FIELDS, "mount", "parent_inode", "unknown"])
any_rows = st.dictionaries(
    st.sampled_from(["/", "/not/there", "/not", "", "relative/path", "/nul\0", "/$HOME", "/" + "x" * 300]),
    json_values
    | st.dictionaries(
        field_names,
        json_values | st.sampled_from(["/", "${HOME}/x", "$HOME", "/a\0", "..", "/\ud800", "${USERPROFILE}/x"]),
    ),
    max_size=3,
)


@settings(max_examples=60)
@given(any_rows)
def test_no_row_whatever_breaks_anything_or_gets_lost(rows: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cache.json")
        begin(path, rows)
        cache = Cache(path)
        assert cache.list_all().keys() == {project for project, row in rows.items() if isinstance(row, dict)}
        assert cache.validate_all().keys() == rows.keys()
        assert {row.project for row in take_inventory(cache).registered} == rows.keys()
        cache.add_mapping(Path(folder, "new"), "/v", "n", "h")
        kept = written(path)
        assert kept.keys() == {*rows, os.path.realpath(Path(folder, "new"))}
        for project, row in rows.items():
            if isinstance(row, dict):
                assert {**kept[project], "last_validated": 0} == {**row, "last_validated": 0}
            else:
                assert kept[project] == row


# Migration


def test_migrate_if_needed_no_op(cache: Cache, path: Path, checkout: Path) -> None:
    add(cache, checkout)
    before = state(path.parent)
    cache.migrate_if_needed()
    assert state(path.parent) == before


def test_migrate_if_needed_adds_version(cache: Cache, path: Path) -> None:
    raw = begin(path, '{"venvs": {"/p": {"venv_path": "/v"}}}')
    assert list(cache.list_all()) == ["/p"]
    assert path.read_bytes() == raw
    cache.migrate_if_needed()
    assert json.loads(path.read_bytes()) == {"version": "1.0", "venvs": {"/p": {"venv_path": "/v"}}}
    assert raw in {content for _, content in state(path.parent).values()}


def test_a_registry_of_the_published_version_is_read_as_it_is(
    cache: Cache, path: Path, home: Path, checkout: Path
) -> None:
    row = dict(
        zip(
            SIX_FIELDS,
            [ENVIRONMENT, f"{home}/prime-uve/venvs/demo_0a1b2c3d", "demo", "0a1b2c3d", LONG_AGO, LONG_AGO],
            strict=True,
        )
    )
    raw = begin(path, {str(checkout): row})
    assert cache.get_mapping(checkout) == row
    assert cache.list_all() == {str(checkout): row}
    cache.migrate_if_needed()
    assert path.read_bytes() == raw
    assert cache.validate_mapping(checkout).is_valid
    stamped = written(path)[str(checkout)]
    assert stamped.pop("last_validated") > row.pop("last_validated")
    assert stamped == row


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(Cache.list_all, id="list"),
        pytest.param(Cache.validate_all, id="validate"),
        pytest.param(Cache.clear, id="clear"),
        pytest.param(Cache.migrate_if_needed, id="migrate"),
        pytest.param(lambda cache: cache.get_mapping(Path("/p")), id="get"),
        pytest.param(lambda cache: cache.validate_mapping(Path("/p")), id="validate one"),
        pytest.param(lambda cache: cache.remove_mapping(Path("/p")), id="remove"),
        pytest.param(lambda cache: cache.add_mapping(Path("/p"), "/v", "n", "h"), id="add"),
    ],
)
@pytest.mark.parametrize("kind", ["newer", "a folder", "a FIFO", "a link to nowhere"])
def test_what_cannot_be_read_is_never_taken_for_empty(
    cache: Cache, path: Path, operation: Callable[[Cache], object], kind: str
) -> None:
    path.parent.mkdir()
    match kind:
        case "newer":
            begin(path, NEWER)
        case "a folder":
            path.mkdir()
        case "a FIFO":
            os.mkfifo(path)
        case _:
            path.symlink_to("nowhere")
    with pytest.raises(CacheError, match=re.escape(str(path))):
        operation(cache)
    assert {entry.name for entry in path.parent.iterdir()} <= {"cache.json", "cache.lock"}
    if kind == "newer":
        assert path.read_bytes() == NEWER


# Paths


@pytest.fixture
def linked_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home that is a link, with a folder of environments in it that a variable names."""
    home = tmp_path / "home"
    (tmp_path / "real home").mkdir()
    home.symlink_to(tmp_path / "real home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PRIME_UVE_VENVS", str(home / "bases"))
    return home


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        pytest.param(ENVIRONMENT, ENVIRONMENT, id="with the variable"),
        pytest.param("{home}/prime-uve/venvs/x", "${HOME}/prime-uve/venvs/x", id="spelled out"),
        pytest.param("$HOME/prime-uve/venvs/x", "${HOME}/prime-uve/venvs/x", id="without braces"),
        pytest.param("{real}/prime-uve/venvs/x", "${HOME}/prime-uve/venvs/x", id="by the home's real path"),
        pytest.param("${PRIME_UVE_VENVS}/x", "${HOME}/bases/x", id="by another variable"),
        pytest.param("/data/venvs/x", "/data/venvs/x", id="elsewhere"),
        pytest.param("{home}-2/x", "{home}-2/x", id="beside the home"),
    ],
)
def test_the_environment_is_stored_under_the_home_where_it_lies_there(
    cache: Cache, checkout: Path, linked_home: Path, given: str, stored: str
) -> None:
    for name, place in {"{home}": str(linked_home), "{real}": os.path.realpath(linked_home)}.items():
        given, stored = given.replace(name, place), stored.replace(name, place)
    add(cache, checkout, given)
    row = written(cache.path)[str(checkout)]
    assert row["venv_path"] == stored
    mapping = cache.get_mapping(checkout)
    assert mapping is not None
    assert mapping["venv_path_expanded"] == stored.replace("${HOME}", str(linked_home))


def test_the_environment_follows_the_home(
    cache: Cache, home: Path, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(cache, checkout)
    monkeypatch.setenv("HOME", str(tmp_path / "new home"))
    expanded = f"{tmp_path}/new home/prime-uve/venvs/demo_0a1b2c3d"
    mapping = cache.get_mapping(checkout)
    assert mapping is not None
    assert mapping["venv_path_expanded"] == expanded
    assert cache.list_all()[str(checkout)]["venv_path_expanded"] == expanded
    assert written(cache.path)[str(checkout)]["venv_path_expanded"].startswith(str(home))
    (issue,) = cache.validate_mapping(checkout).issues
    assert f"'{expanded}' does not exist" in issue


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(lambda cache, project: cache.add_mapping(project, "/v", "n", "h"), id="add"),
        pytest.param(Cache.get_mapping, id="get"),
        pytest.param(Cache.remove_mapping, id="remove"),
        pytest.param(Cache.validate_mapping, id="validate"),
        pytest.param(lambda _cache, project: project_key(project), id="key"),
    ],
)
@pytest.mark.parametrize(
    ("project", "error"),
    [
        pytest.param("relative/project", ValueError, id="relative"),
        pytest.param("", ValueError, id="empty"),
        pytest.param("~/project", ValueError, id="with a tilde"),
        pytest.param("/nul\0", ValueError, id="with a NUL"),
        pytest.param("/nul\0/below", ValueError, id="with a NUL above"),
        pytest.param("{folder}/loop", CacheError, id="a loop of links"),
        pytest.param("{folder}/loop/below", CacheError, id="below a loop of links"),
        pytest.param("/" + "folder/" * 715, CacheError, id="of five thousand bytes"),
        pytest.param("/" + "x" * 300, CacheError, id="with a name of three hundred bytes"),
    ],
)
def test_a_path_that_no_project_can_have_is_refused(
    cache: Cache, tmp_path: Path, operation: Callable[[Cache, Path], object], project: str, error: type[Exception]
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(error):
        operation(cache, Path(project.replace("{folder}", str(tmp_path))))
    assert not cache.path.exists()


@pytest.mark.parametrize("venv_path", ["", "relative", "./x", "~/x", "${NOWHERE}/x", "/nul\0", "${HOME"])
def test_an_environment_that_is_no_absolute_path_is_refused(
    cache: Cache, path: Path, checkout: Path, venv_path: str
) -> None:
    with pytest.raises(ValueError, match="must be absolute"):
        add(cache, checkout, venv_path)
    assert not path.exists()


def test_a_project_is_one_whatever_link_it_is_reached_by(
    cache: Cache, path: Path, checkout: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(checkout)
    spelled = Path(f"{tmp_path}/./link/../link")
    add(cache, link)
    assert list(written(path)) == [str(checkout)]
    assert cache.get_mapping(spelled) == cache.get_mapping(checkout)
    assert cache.validate_mapping(spelled).is_valid
    assert cache.remove_mapping(link)


def test_a_row_that_is_older_than_the_link_in_its_place_can_be_had(
    cache: Cache, checkout: Path, tmp_path: Path
) -> None:
    add(cache, checkout)
    checkout.rename(tmp_path / "moved")
    checkout.symlink_to(tmp_path / "moved")
    (project,) = cache.list_all()
    assert cache.get_mapping(Path(project)) is not None
    assert cache.validate_mapping(Path(project)).is_valid
    assert cache.remove_mapping(Path(project))
    assert cache.list_all() == {}


def test_a_project_can_be_given_as_text(cache: Cache, checkout: Path) -> None:
    add(cache, checkout)
    for project in cache.list_all():
        assert cache.remove_mapping(project)  # type: ignore[arg-type]  # as the seed's own example does


WHERE = """
from prime_uve.core.cache import Cache, CacheError
try:
    print(Cache().path)
except CacheError as error:
    print(error)
"""


# Where the registry is


def test_a_variable_moves_it(tmp_path: Path, checkout: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "moved" / "registry.json"
    monkeypatch.setenv("PRIME_UVE_CACHE", str(path))
    add(Cache(), checkout)
    assert Cache().path == path
    assert list(written(path)) == [str(checkout)]
    assert not (home / ".prime-uve").exists()


@pytest.mark.parametrize("value", ["cache.json", "./cache.json", "~/cache.json"])
def test_a_relative_variable_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PRIME_UVE_CACHE", value)
    with pytest.raises(CacheError, match=r"PRIME_UVE_CACHE is .* not an absolute path"):
        Cache()


@pytest.mark.parametrize("value", ["/", "/dev", "/dev/null", "/dev/zero", "/dev/null/cache.json", "/dev/.."])
def test_a_variable_that_names_no_file_is_refused(checkout: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PRIME_UVE_CACHE", value)
    with pytest.raises(CacheError, match=r"cannot be used|could not|is a folder"):
        Cache().list_all()
    with pytest.raises(CacheError, match=r"cannot be used|could not|is a folder"):
        add(Cache(), checkout)


def test_an_empty_variable_counts_as_unset(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIME_UVE_CACHE", "")
    assert Cache().path == home / ".prime-uve/cache.json"


@pytest.mark.parametrize("value", [None, "", "relative/home"], ids=["unset", "empty", "relative"])
def test_without_a_usable_home_the_password_database_says_where(tmp_path: Path, value: str | None) -> None:
    pwd = pytest.importorskip("pwd")
    account = pwd.getpwuid(os.getuid()).pw_dir
    where = output(child(WHERE, cwd=tmp_path, env={"HOME": value, "PRIME_UVE_CACHE": None}))
    assert where == f"{account}/.prime-uve/cache.json\n"
    assert list(tmp_path.iterdir()) == []


def test_without_any_home_it_is_an_error_that_says_so(tmp_path: Path) -> None:
    said = output(child(WHERE, cwd=tmp_path, prefix=checkouts.as_nobody(), env={"HOME": None}))
    assert "there is no home directory" in said


def test_a_home_that_is_a_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "home"
    file.touch()
    monkeypatch.setenv("HOME", str(file))
    with pytest.raises(CacheError, match=re.escape(str(file))):
        Cache().clear()
    assert file.read_bytes() == b""


READ_ONLY = """
import sys
from pathlib import Path
from prime_uve.core.cache import Cache, CacheError
from prime_uve.core.inventory import take_inventory
cache, project = Cache(Path(sys.argv[1])), Path(sys.argv[2])
assert cache.get_mapping(project)["project_name"] == "demo"
assert cache.validate_mapping(project).is_valid
assert cache.validate_all()[str(project)].is_valid
assert [row.result.status for row in take_inventory(cache).registered] == ["valid"]
try:
    cache.clear()
except CacheError as error:
    print(error)
"""


# What is read-only


@pytest.mark.parametrize("lock_exists", [True, False], ids=["with a lock file", "without"])
def test_a_folder_that_may_not_be_written_can_be_validated(
    cache: Cache, path: Path, checkout: Path, tmp_path: Path, *, lock_exists: bool
) -> None:
    prefix = unprivileged()
    add(cache, checkout)
    if not lock_exists:
        path.with_name("cache.lock").unlink()
    before = state(path.parent)
    path.parent.chmod(0o555)
    try:
        said = output(child(READ_ONLY, path, checkout, cwd=tmp_path, prefix=prefix))
    finally:
        path.parent.chmod(0o755)
    assert "Permission denied" in said
    assert state(path.parent) == before


def test_a_file_system_that_may_not_be_written_can_be_validated(
    cache: Cache, path: Path, checkout: Path, tmp_path: Path
) -> None:
    prefix = checkouts.own_mounts()
    add(cache, checkout)
    before = state(path.parent)
    script = (
        "import os, subprocess, sys\nfolder = os.path.dirname(sys.argv[1])\n"
        "subprocess.run(['mount', '--bind', folder, folder], check=True)\n"
        "subprocess.run(['mount', '-o', 'remount,bind,ro', folder], check=True)\n"
    )
    said = output(child(script + READ_ONLY, path, checkout, cwd=tmp_path, prefix=prefix))
    assert "Read-only file system" in said
    assert state(path.parent) == before


def test_a_file_that_may_not_be_read_is_an_error(cache: Cache, path: Path, checkout: Path, tmp_path: Path) -> None:
    prefix = unprivileged()
    add(cache, checkout)
    path.chmod(0)
    script = (
        "import sys; from pathlib import Path; from prime_uve.core.cache import Cache, CacheError\n"
        "cache = Cache(Path(sys.argv[1]))\n"
        "for operation in (cache.list_all, cache.validate_all, cache.clear):\n"
        "    try:\n        operation()\n    except CacheError as error:\n        print(error)\n"
    )
    said = output(child(script, path, cwd=tmp_path, prefix=prefix))
    assert said.count(f"could not read {path}: Permission denied") == 3
    path.chmod(0o600)
    assert list(written(path)) == [str(checkout)]


def test_importing_prints_nothing_and_configures_no_logging(tmp_path: Path) -> None:
    script = (
        "import prime_uve.core.cache, prime_uve.core.inventory, prime_uve.core.registration, logging\n"
        "assert not logging.root.handlers, logging.root.handlers\n"
    )
    assert output(child(script, cwd=tmp_path)) == ""
