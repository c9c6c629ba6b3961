"""Files that are damaged, older, newer or foreign: nothing that was in them is lost."""

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prime_uve.core.store import Store, document
from prime_uve.errors import CacheError
from tests import commands
from tests.core import writers
from tests.privileges import unprivileged

ROWS = {f"/p/{name}": {"venv_path": f"/v/{name}", "unknown": [1, None]} for name in "abc"}
WHOLE = document.render({"version": "1.0", "venvs": ROWS, "other": {"x": {}}})
TEXT = WHOLE.decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.json"


@pytest.fixture
def lines() -> list[str]:
    """Return what was said to the person."""
    return []


@pytest.fixture
def store(path: Path, lines: list[str]) -> Store:
    return Store(path, version="1.0", defaults={"venvs": {}}, notify=lines.append)


def fill(store: Store) -> None:
    store.update(lambda values: values.update({"venvs": dict(ROWS), "other": {"x": {}}}))


def add(store: Store) -> None:
    store.update(lambda values: values["venvs"].update({"/new": {}}))


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "zero bytes": lambda raw: bytes(len(raw)),
    "zero bytes at the end": lambda raw: raw[:60] + bytes(len(raw) - 60),
    "zero bytes at the beginning": lambda raw: bytes(60) + raw[60:],
    "something after the end": lambda raw: raw + raw,
    "a comma too many": lambda raw: raw.replace(b"\n  },", b",\n  },", 1),
    "a name twice": lambda raw: raw.replace(b'"/p/b"', b'"/p/a"'),
    "two sections": lambda raw: raw.replace(b"{", b'{"venvs": {"/p/a": {}},', 1),
    "a mark of a merge conflict": lambda raw: raw.replace(b'    "/p/b"', b'<<<<<<< HEAD\n    "/p/b"'),
    "a byte that is not text": lambda raw: raw.replace(b"/v/b", b"/v/\xff"),
    "half of UTF-16": lambda raw: raw.decode().encode("utf-16")[:-1],
    "deep nesting": lambda raw: raw.replace(b"[1, null]", b"[" * 100_000, 1),
    "a huge number": lambda raw: raw.replace(b"[1, null]", b"1" * 10_000, 1),
    "a list": lambda raw: b"[" + raw + b"]",
    "null": lambda _: b"null",
    "text": lambda _: b'"venvs"',
    "an empty object": lambda _: b"{}",
    "no section": lambda _: b'{"version": "1.0"}',
    "the section is null": lambda _: b'{"version": "1.0", "venvs": null}',
    "the section is a list": lambda _: b'{"version": "1.0", "venvs": []}',
    "the version is a list": lambda raw: raw.replace(b'"1.0"', b"[]", 1),
    "the version is null": lambda raw: raw.replace(b'"1.0"', b"null", 1),
    "the version is true": lambda raw: raw.replace(b'"1.0"', b"true", 1),
    "no JSON at all": lambda _: os.urandom(64) + b"\xff",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
class TestADamagedFile:
    def test_costs_nothing_where_there_is_a_last_good_copy(
        self, store: Store, path: Path, lines: list[str], damage: Callable[[bytes], bytes]
    ) -> None:
        fill(store)
        damaged = damage(path.read_bytes())
        path.write_bytes(damaged)
        before = contents(path.parent)

        found = store.read()
        assert found["venvs"].keys() == ROWS.keys()
        assert found["other"] == {"x": {}}
        assert contents(path.parent) == before
        store.read()
        assert len(lines) == 1

        add(store)
        (kept,) = store.damaged_copies()
        assert re.fullmatch(r"cache\.json\.damaged-\d{8}T\d{6}Z", kept.name)
        assert kept.read_bytes() == damaged
        assert json.loads(path.read_bytes())["venvs"].keys() == {*ROWS, "/new"}
        (line,) = lines
        assert line.endswith(f"; the next change keeps the damaged file as {kept}")
        assert line.startswith(f"prime-uve: {path} is damaged (")
        assert "\n" not in line

    def test_is_kept_byte_for_byte_where_there_is_no_copy(
        self, store: Store, path: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        damaged = damage(WHOLE)
        path.write_bytes(damaged)
        readable = store.read()["venvs"]
        add(store)
        assert [kept.read_bytes() for kept in store.damaged_copies()] == [damaged]
        assert store.read()["venvs"] == readable | {"/new": {}}


def test_a_file_cut_anywhere_keeps_what_was_before_the_cut(store: Store, path: Path) -> None:
    starts = [WHOLE.index(name.encode()) for name in ROWS]
    for cut in range(0, len(WHOLE.rstrip()), 5):
        path.write_bytes(WHOLE[:cut])
        before = sum(start < cut for start in starts)
        assert len(store.read()["venvs"]) >= before - 1, cut


def test_the_version_of_a_damaged_file_still_counts(store: Store, path: Path) -> None:
    path.write_bytes(WHOLE.replace(b'"1.0"', b'"1.1"', 1)[:-20])
    before = contents(path.parent)
    for operation in (store.read, lambda: add(store)):
        with pytest.raises(CacheError, match="newer prime-uve"):
            operation()
    assert before.items() <= contents(path.parent).items()


def test_a_newer_last_good_copy_is_not_used(store: Store, path: Path) -> None:
    path.write_bytes(b"")
    path.with_name("cache.json.last-good").write_bytes(WHOLE.replace(b'"1.0"', b'"1.1"', 1))
    with pytest.raises(CacheError, match=r"last-good was written by a newer prime-uve"):
        store.read()


def test_a_last_good_copy_that_cannot_be_read_is_not_empty(store: Store, path: Path) -> None:
    path.write_bytes(b"")
    path.with_name("cache.json.last-good").mkdir()
    with pytest.raises(CacheError, match="could not read"):
        store.read()


def test_a_last_good_copy_that_is_damaged_gives_what_it_can(store: Store, path: Path) -> None:
    path.write_bytes(b"")
    path.with_name("cache.json.last-good").write_bytes(WHOLE[: WHOLE.index(b'"/p/c"')])
    assert store.read()["venvs"].keys() == {"/p/a", "/p/b"}


def test_what_the_damaged_file_says_is_newer_than_the_copy(store: Store, path: Path) -> None:
    fill(store)
    path.write_bytes(path.read_bytes().replace(b"/v/a", b"/v/changed")[:-3])
    assert store.read()["venvs"]["/p/a"]["venv_path"] == "/v/changed"


def test_copies_of_one_second_do_not_overwrite_each_other(store: Store, path: Path) -> None:
    for number in range(4):
        path.write_bytes(b"damaged %d" % number)
        add(store)
    assert [copy.read_bytes() for copy in store.damaged_copies()] == [b"damaged %d" % number for number in range(4)]


def test_the_ten_newest_copies_are_kept(store: Store, path: Path) -> None:
    names = [f"cache.json.damaged-20200101T0000{second:02}Z" for second in range(12)]
    for name in names:
        path.with_name(name).write_text(name)
    path.write_bytes(b"{")
    add(store)
    copies = store.damaged_copies()
    assert [copy.name for copy in copies[:-1]] == names[-9:]
    assert copies[-1].read_bytes() == b"{"


def test_the_copy_just_made_stays_though_the_clock_went_backwards(store: Store, path: Path) -> None:
    for second in range(12):
        path.with_name(f"cache.json.damaged-99990101T0000{second:02}Z").touch()
    path.write_bytes(b"{")
    add(store)
    copies = store.damaged_copies()
    assert len(copies) == 10
    assert copies[0].read_bytes() == b"{"


def test_the_same_damage_is_kept_once(store: Store, path: Path) -> None:
    for _ in range(3):
        path.write_bytes(b"{")
        add(store)
    assert len(store.damaged_copies()) == 1


def test_other_files_are_not_taken_for_copies(store: Store, path: Path) -> None:
    for name in (
        "cache.json.damaged-",
        "cache.json.damaged-20200101T000000Z.bak",
        "other.json.damaged-20200101T000000Z",
    ):
        path.with_name(name).touch()
    assert store.damaged_copies() == []


def test_the_line_goes_to_stderr(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(WHOLE[:-10])
    os.utime(path, (1_000_000_000, 1_000_000_000))
    writers.store_at(path).read()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"prime-uve: {path} is damaged (it is not valid JSON in line 9): 3 entries could be read, 0 came from the last "
        f"good copy; the next change keeps the damaged file as {path}.damaged-20010909T014640Z\n"
    )
    add(writers.store_at(path))
    assert capsys.readouterr() == ("", ""), "it has been told"
    assert path.with_name("cache.json.damaged-20010909T014640Z").read_bytes() == WHOLE[:-10]


@pytest.mark.parametrize("seconds", [-1, 253402300800, 1 << 62])
def test_a_time_that_is_no_good_gives_no_odd_name(store: Store, path: Path, seconds: int) -> None:
    path.write_bytes(b"{")
    try:
        os.utime(path, (seconds, seconds))
    except OSError:
        pytest.skip("the file system knows no such time")
    add(store)
    (kept,) = store.damaged_copies()
    assert re.fullmatch(r"cache\.json\.damaged-\d{8}T\d{6}Z", kept.name)


READ = """
import sys
from pathlib import Path
from tests.core import writers
print(writers.store_at(Path(sys.argv[1])).read()["venvs"])
"""


def test_a_damaged_file_in_a_folder_that_cannot_be_listed_is_read(path: Path) -> None:
    prefix = unprivileged()
    path.write_bytes(b"{")
    path.parent.chmod(0o300)
    try:
        root = Path(__file__).parents[3]
        done = commands.run(*prefix, sys.executable, "-c", READ, path, cwd=root, env=writers.ENVIRONMENT)
    finally:
        path.parent.chmod(0o700)
    assert done.stdout == "{}\n", done.stderr
    assert done.stderr.endswith(f"keeps the damaged file as {path}.damaged-<UTC time>\n")


def test_a_place_that_was_taken_meanwhile_is_told_again(store: Store, path: Path, lines: list[str]) -> None:
    path.write_bytes(b"{")
    store.read()
    place = Path(lines[0].rpartition(" ")[2])
    place.write_text("something else")
    add(store)
    assert lines[1].endswith(f"; the damaged file is kept as {place}-1")
    assert place.read_text() == "something else"


def test_without_a_stderr_nothing_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"")
    monkeypatch.setattr("sys.stderr", None)
    assert writers.store_at(path).read()["venvs"] == {}


@pytest.mark.parametrize("version", ['"1.1"', '"2.0"', '"1.0.1"', '"10"', "2", "1.5"])
@pytest.mark.parametrize("rest", [', "venvs": {}', "", ', "venvs": 5'], ids=["rows", "none", "another type"])
def test_a_newer_file_is_left_as_it_is(store: Store, path: Path, version: str, rest: str) -> None:
    raw = f'{{"version": {version}{rest}}}'.encode()
    path.write_bytes(raw)
    for operation in (store.read, lambda: add(store)):
        with pytest.raises(CacheError, match=r"written by a newer prime-uve .* upgrade prime-uve"):
            operation()
    assert contents(path.parent) == {"cache.json": raw, "cache.lock": b""}


@pytest.mark.parametrize("version", ['"x"', '""', '"1.0-beta"', "-1", "NaN", "1e999"])
def test_a_file_of_an_unknown_version_is_left_as_it_is(store: Store, path: Path, version: str) -> None:
    raw = f'{{"version": {version}, "venvs": {{}}}}'.encode()
    path.write_bytes(raw)
    for operation in (store.read, lambda: add(store)):
        with pytest.raises(CacheError, match="does not know"):
            operation()
    assert contents(path.parent) == {"cache.json": raw, "cache.lock": b""}


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        ("", "cache.json.vunversioned"),
        ('"version": "0.9", ', "cache.json.v0.9"),
        ('"version": 0.5, ', "cache.json.v0.5"),
        ('"version": 1, ', "cache.json.v1"),
    ],
)
def test_an_older_file_is_migrated_and_kept(store: Store, path: Path, lines: list[str], head: str, kept: str) -> None:
    raw = f'{{{head}"venvs": {{"/a": {{"x": 1}}}}, "other": 1}}'.encode()
    path.write_bytes(raw)
    expected = {"version": "1.0", "venvs": {"/a": {"x": 1}}, "other": 1}
    assert store.read() == expected
    assert contents(path.parent) == {"cache.json": raw}

    def look(values: dict[str, Any]) -> None:
        assert values == expected

    store.update(look)
    assert contents(path.parent) == {
        "cache.json": document.render(expected),
        "cache.json.last-good": document.render(expected),
        "cache.lock": b"",
        kept: raw,
    }
    assert not lines


def test_an_older_file_that_was_kept_is_not_overwritten(store: Store, path: Path) -> None:
    for number in range(3):
        path.write_text(f'{{"venvs": {{"/{number}": {{}}}}}}')
        add(store)
    names = ["cache.json.vunversioned", "cache.json.vunversioned-1", "cache.json.vunversioned-2"]
    assert [f"/{number}" in path.with_name(name).read_text() for number, name in enumerate(names)] == [True] * 3


def test_a_name_that_is_taken_by_something_else_is_left(store: Store, path: Path) -> None:
    path.with_name("cache.json.vunversioned").symlink_to("nowhere")
    path.write_text('{"venvs": {}}')
    add(store)
    assert path.with_name("cache.json.vunversioned").is_symlink()
    assert path.with_name("cache.json.vunversioned-1").read_text() == '{"venvs": {}}'


def test_a_byte_order_mark_and_utf_16_are_read_and_not_damage(store: Store, path: Path, lines: list[str]) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(TEXT.encode(encoding))
        assert store.read()["venvs"] == ROWS
    add(store)
    assert path.read_bytes().isascii()
    assert not lines
    assert not store.damaged_copies()
