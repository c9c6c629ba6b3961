"""Hundreds of damaged registries through everything that can be asked of one: an answer or `CacheError`, no loss."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prime_uve.core.cache import Cache
from prime_uve.errors import CacheError
from tests.faults import budget
from tests.faults.mutations import HUGE, ROWS, WHOLE, Mutation, mutations, strictly

NEW = Path("/p/new")
READING: dict[str, Callable[[Cache], object]] = {
    "list_all": Cache.list_all,
    "get_mapping": lambda cache: cache.get_mapping(Path("/p/two")),
}
WRITING: dict[str, Callable[[Cache], object]] = {
    "add_mapping": lambda cache: cache.add_mapping(NEW, "/v/new", "new", "01234567"),
    "remove_mapping": lambda cache: cache.remove_mapping(Path("/p/two")),
    "validate_mapping": lambda cache: cache.validate_mapping(Path("/p/two")),
    "validate_all": Cache.validate_all,
    "clear": Cache.clear,
    "migrate_if_needed": Cache.migrate_if_needed,
}
kinds = pytest.mark.parametrize("kind", mutations().values(), ids=mutations().keys())


class Registry:
    """A folder with a damaged registry."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.path = folder / "cache.json"
        self._capsys = capsys

    def begin(self, raw: bytes, last_good: bytes | None) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.path.write_bytes(raw)
        if last_good is not None:
            self.path.with_name("cache.json.last-good").write_bytes(last_good)

    def ask(self, act: Callable[[Cache], object]) -> tuple[bool, Any]:
        """Do it. Returns whether it went well, with the result or what the error says."""
        said = ""
        try:
            return True, act(Cache(self.path))
        except CacheError as error:
            said = str(error)
        assert str(self.folder) in said
        return False, said

    def said(self) -> list[str]:
        out, err = self._capsys.readouterr()
        assert not out
        return str(err).splitlines()

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@pytest.fixture
def registry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Registry:
    return Registry(tmp_path / "registry", capsys)


def each(kind: list[Mutation], check: Callable[[bytes], None]) -> None:
    """Check each mutation; what fails tells its name."""
    for name, raw in kind:
        try:
            check(raw)
        except BaseException as error:
            error.add_note(f"the damage: {name}")
            raise


@kinds
def test_reading_changes_nothing_and_says_one_line_at_most(registry: Registry, kind: list[Mutation]) -> None:
    each(kind, partial(check_reading, registry))


def check_reading(registry: Registry, raw: bytes) -> None:
    for last_good in (None, WHOLE):
        registry.begin(raw, last_good)
        before = registry.contents()
        for act in READING.values():
            went_well, _ = registry.ask(act)
            assert len(registry.said()) <= went_well
        assert registry.contents() == before


@kinds
def test_what_can_be_read_is_read(registry: Registry, kind: list[Mutation]) -> None:
    def check(raw: bytes) -> None:
        registry.begin(raw, None)
        went_well, found = registry.ask(Cache.list_all)
        lines = registry.said()
        values = strictly(raw)
        if went_well and values is not None and "version" in values:
            assert found.keys() == {project for project, row in values["venvs"].items() if isinstance(row, dict)}
        if went_well and values is None:
            (line,) = lines
            assert line.startswith(f"prime-uve: {registry.path} is damaged (")
            # A row whose line is as it was is there; what comes after something that looks like the end of all rows
            # could be another member's, and is for the last good copy to give.
            rows = raw.partition(b"\n  }")[0]
            lines_of_rows = {name: f"\n    {json.dumps(name)}: {json.dumps(row)},\n" for name, row in ROWS.items()}
            assert {name for name, line in lines_of_rows.items() if line.encode() in rows} <= found.keys()

    each(kind, check)


@kinds
def test_the_last_good_copy_fills_in(registry: Registry, kind: list[Mutation]) -> None:
    def check(raw: bytes) -> None:
        registry.begin(raw, WHOLE)
        went_well, found = registry.ask(Cache.list_all)
        registry.said()
        if went_well and strictly(raw) is None:
            assert found.keys() >= ROWS.keys()

    each(kind, check)


@kinds
@pytest.mark.parametrize("method", WRITING)
def test_writing_loses_nothing(registry: Registry, kind: list[Mutation], method: str) -> None:
    each(budget.sample(f"{method} {kind[0][0]}", kind, 20), partial(check_writing, registry, act=WRITING[method]))


def check_writing(registry: Registry, raw: bytes, act: Callable[[Cache], object]) -> None:
    registry.begin(raw, None)
    went_well, _ = registry.ask(act)
    lines = registry.said()
    after = registry.contents()
    assert not after.pop("cache.lock", b"")
    assert not [name for name in after if name.endswith(".tmp")]
    if after["cache.json"] == raw:
        return
    assert went_well
    assert strictly(after["cache.json"]) is not None
    kept = [name for name, content in after.items() if content == raw]
    if not kept:
        check_nothing_is_missing(raw, after["cache.json"], act)
    elif ".damaged-" in kept[0]:
        (line,) = lines
        assert line.endswith(f" as {registry.path.with_name(kept[0])}")
        assert Cache(registry.path).damaged_copies() == [registry.path.with_name(kept[0])]
    # And the registry works again, without a word.
    assert registry.ask(WRITING["add_mapping"])[0]
    assert NEW.as_posix() in registry.ask(Cache.list_all)[1]
    assert not registry.said()


def check_nothing_is_missing(raw: bytes, written: bytes, act: Callable[[Cache], object]) -> None:
    """Insist that a whole document was carried over, but for what the act is about."""
    old, new = strictly(raw), strictly(written)
    assert old is not None
    assert new is not None
    assert _members(old) <= _members(new)
    stamped = {project: _unstamped(row) for project, row in new["venvs"].items()}
    gone = {project for project, row in old["venvs"].items() if stamped.get(project) != _unstamped(row)}
    if act is WRITING["clear"]:
        assert not new["venvs"]
    else:
        assert gone == ({"/p/two"} if act is WRITING["remove_mapping"] else set())


def _members(values: dict[str, Any]) -> set[tuple[str, str]]:
    return {(name, repr(value)) for name, value in values.items() if name != "venvs"}


def _unstamped(row: object) -> str:
    # NaN is not equal to itself, but is written the same each time.
    return repr({**row, "last_validated": ""} if isinstance(row, dict) else row)


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_file_is_damage_like_any_other(registry: Registry, name: str) -> None:
    if not budget.IS_LONG and name != "100 MB of zero bytes":
        pytest.skip("it takes gigabytes and seconds: tox -e faults-long")
    raw = HUGE[name]()
    registry.begin(raw, WHOLE)
    went_well, found = registry.ask(Cache.list_all)
    assert found.keys() == ROWS.keys() if went_well else "larger than 128 MiB" in found
    assert len(registry.said()) == (went_well and strictly(raw) is None)
    check_writing(registry, raw, WRITING["add_mapping"])


def test_there_are_hundreds_of_mutations() -> None:
    everything = [raw for kind in mutations().values() for _, raw in kind]
    assert len(set(everything)) > 300
    assert sum(strictly(raw) is None for raw in everything) > 150
