"""Registries of other versions: a newer one is left alone, an older one is migrated, the published one is just read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.errors import CacheError

# What prime-uve 0.1 writes: json.dump with an indentation of two.
PUBLISHED = """\
{
  "version": "1.0",
  "venvs": {
    "/p/one": {
      "venv_path": "${HOME}/prime-uve/venvs/one_01234567",
      "venv_path_expanded": "/home/me/prime-uve/venvs/one_01234567",
      "project_name": "one",
      "path_hash": "01234567",
      "created_at": "2025-01-01T00:00:00Z",
      "last_validated": "2025-01-01T00:00:00Z"
    },
    "/p/two": {
      "venv_path": "/v/two",
      "venv_path_expanded": "/v/two",
      "project_name": "two",
      "path_hash": "89abcdef",
      "created_at": "2025-01-01T00:00:00Z",
      "last_validated": "2025-01-01T00:00:00Z"
    }
  }
}"""
ONE = Path("/p/one")
ACTS: dict[str, Callable[[Cache], object]] = {
    "list_all": Cache.list_all,
    "get_mapping": lambda cache: cache.get_mapping(ONE),
    "validate_mapping": lambda cache: cache.validate_mapping(ONE),
    "validate_all": Cache.validate_all,
    "add_mapping": lambda cache: cache.add_mapping(ONE, "/v/new", "one", "01234567"),
    "remove_mapping": lambda cache: cache.remove_mapping(ONE),
    "clear": Cache.clear,
    "migrate_if_needed": Cache.migrate_if_needed,
}
CHANGING = ("add_mapping", "remove_mapping", "clear", "migrate_if_needed", "validate_all")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.json"


def contents(path: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in path.parent.iterdir() if entry.suffix != ".lock"}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
@pytest.mark.parametrize("version", ['"1.1"', '"2.0"', "2", '"1.0.1"'])
def test_a_newer_registry_is_left_byte_for_byte(path: Path, version: str, act: Callable[[Cache], object]) -> None:
    path.write_text(PUBLISHED.replace('"1.0"', version))
    before = contents(path)
    with pytest.raises(CacheError, match=rf"{path} was written by a newer prime-uve .*: upgrade prime-uve"):
        act(Cache(path))
    assert contents(path) == before


@pytest.mark.parametrize("name", CHANGING)
@pytest.mark.parametrize(
    ("version", "kept"), [("", "cache.json.vunversioned"), ('"version": "0.9",', "cache.json.v0.9")]
)
def test_any_write_migrates_an_older_registry_and_keeps_it(path: Path, version: str, kept: str, name: str) -> None:
    raw = PUBLISHED.replace('"version": "1.0",', version)
    path.write_text(raw)
    ACTS[name](Cache(path))
    assert contents(path)[kept] == raw.encode()
    assert json.loads(path.read_text())["version"] == "1.0"
    assert contents(path).keys() == {"cache.json", "cache.json.last-good", kept}


def test_a_registry_of_the_published_release_is_read_and_not_touched(path: Path) -> None:
    path.write_text(PUBLISHED)
    cache = Cache(path)
    assert cache.list_all().keys() == {"/p/one", "/p/two"}
    cache.migrate_if_needed()
    assert not cache.remove_mapping(Path("/p/three"))
    assert contents(path) == {"cache.json": PUBLISHED.encode()}


def test_a_registry_of_the_published_release_keeps_its_rows_when_it_is_written(path: Path) -> None:
    path.write_text(PUBLISHED)
    Cache(path).add_mapping(Path("/p/three"), "/v/three", "three", "01234567")
    rows = json.loads(path.read_text())["venvs"]
    assert {name: rows[name] for name in ("/p/one", "/p/two")} == json.loads(PUBLISHED)["venvs"]


@pytest.mark.parametrize("name", [name for name in ACTS if name not in {"remove_mapping", "clear"}])
def test_unknown_members_and_fields_survive(path: Path, name: str) -> None:
    document = json.loads(PUBLISHED)
    document["later"] = {"a": [1, None, "\ud800"]}
    document["venvs"]["/p/one"]["later"] = [{"b": 2.5}]
    path.write_text(json.dumps(document))
    ACTS[name](Cache(path))
    after = json.loads(path.read_text())
    assert after["later"] == document["later"]
    assert after["venvs"]["/p/one"]["later"] == [{"b": 2.5}]
