"""A look into the registry without json: what it says is in it, letter for letter, is in it."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prime_uve.core.cache import Cache
from prime_uve.core.lookup import is_registered
from prime_uve.core.store.document import render
from prime_uve.errors import CacheError
from tests.commands import Run
from tests.privileges import unprivileged

PROJECT = "/srv/demo"
VENV = "${HOME}/prime-uve/venvs/demo_0a1b2c3d"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "registry/cache.json"
    path.parent.mkdir()
    monkeypatch.setenv("PRIME_UVE_CACHE", str(path))
    return path


def document(rows: object, **others: object) -> dict[str, Any]:
    return {"version": "1.0", "venvs": rows, **others}


def row(venv_path: str) -> dict[str, str]:
    return {"venv_path": venv_path, "project_name": "demo"}


@pytest.mark.usefixtures("registry")
def test_what_the_registry_was_given_is_found(project: Path) -> None:
    cache = Cache()
    for number in range(3):
        cache.add_mapping(Path(f"/srv/other-{number}"), f"{VENV}{number}", "demo", "0a1b2c3d")
    assert not is_registered(str(project), VENV)

    cache.add_mapping(project, VENV, "demo", "0a1b2c3d")
    assert is_registered(str(project), VENV)
    assert is_registered("/srv/other-0", f"{VENV}0")
    assert is_registered("/srv/other-2", f"{VENV}2")

    cache.add_mapping(project, f"{VENV}e", "demo", "0a1b2c3d")
    assert not is_registered(str(project), VENV)
    assert is_registered(str(project), f"{VENV}e")

    cache.remove_mapping(project)
    assert not is_registered(str(project), f"{VENV}e")


def test_the_registry_in_the_home_is_the_one_that_is_asked(home: Path, project: Path) -> None:
    assert not is_registered(str(project), VENV)
    assert list(home.iterdir()) == [], "a look made something"

    Cache().add_mapping(project, VENV, "demo", "0a1b2c3d")
    assert is_registered(str(project), VENV)


NEARLY = {
    "the project of another name": (f"{PROJECT}2", VENV),
    "a folder in the project": (f"{PROJECT}/src", VENV),
    "the folder around it": ("/work", VENV),
    "the end of its path": ("demo", VENV),
    "another case": (PROJECT.upper(), VENV),
    "a slash at the end": (f"{PROJECT}/", VENV),
    "an environment whose name begins like it": (PROJECT, VENV[:-1]),
    "an environment whose name is longer": (PROJECT, f"{VENV}x"),
    "the environment of the other project": (PROJECT, f"{VENV}-other"),
    "another field": (PROJECT, "demo"),
    "nothing": ("", ""),
    "the environment spelled out": (PROJECT, VENV.replace("${HOME}", "/home/jane")),
}


@pytest.mark.parametrize(("project_path", "venv_path"), NEARLY.values(), ids=NEARLY)
def test_what_is_nearly_the_same_is_not_found(project_path: str, venv_path: str, registry: Path) -> None:
    registry.write_bytes(render(document({PROJECT: row(VENV), "/srv/other": row(f"{VENV}-other")})))

    assert is_registered(PROJECT, VENV)
    assert not is_registered(project_path, venv_path)


LINE = f'\n    "{PROJECT}": {{"venv_path": "{VENV}"'
ELSEWHERE: dict[str, dict[str, Any]] = {
    "in another section below": document({"/other": row(VENV)}, more={PROJECT: row(VENV)}),
    "in another section above": {"more": {PROJECT: row(VENV)}, "venvs": {"/other": row(VENV)}},
    "in another section of a registry without rows": document({}, more={PROJECT: row(VENV)}),
    "in another section, between two": {"a": {"b": {}}, "venvs": {}, "more": {PROJECT: row(VENV)}, "z": {"y": {}}},
    "in the text of a value": document({"/other": {**row("/x"), "note": LINE}}),
    "in the name of another project": document({LINE: row(VENV), f"x{LINE}, ": row(VENV)}),
    "in the path of another environment": document({"/other": row(LINE)}),
    "in a row of a row": document({"/other": {PROJECT: row(VENV)}}),
    "in a field that is not the first": document({PROJECT: {"old": VENV, "venv_path": f"{VENV}2"}}),
    "in a list": document([PROJECT, row(VENV)]),
    "in the whole, where there are no rows": {"version": "1.0", PROJECT: row(VENV)},
    "in a section of that name in a section": {"more": {"venvs": {PROJECT: row(VENV)}}},
}


@pytest.mark.parametrize("values", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize("is_laid_out", [True, False], ids=["our layout", "one line"])
def test_the_same_text_elsewhere_is_no_mapping(values: dict[str, Any], registry: Path, *, is_laid_out: bool) -> None:
    registry.write_bytes(render(values) if is_laid_out else json.dumps(values).encode())
    assert not is_registered(PROJECT, VENV)


@pytest.mark.parametrize("indent", [None, 0, 1, 2, 4, "\t"])
def test_another_layout_is_left_to_json(indent: int | str | None, registry: Path) -> None:
    registry.write_text(json.dumps(document({PROJECT: row(VENV)}), indent=indent))
    assert not is_registered(PROJECT, VENV)


@pytest.mark.parametrize(
    "odd",
    ['a"b', "a\\b", "a\nb", "a\tb", "a\0b", "a\x7fb", "café", "caf\udce9", "\\u0061"],
    ids=ascii,
)
@pytest.mark.usefixtures("registry")
def test_a_path_that_json_escapes_is_left_to_json(odd: str) -> None:
    cache = Cache()
    cache.edit(lambda rows: rows.update({f"/srv/{odd}": row(VENV), PROJECT: row(f"/venvs/{odd}")}))

    assert not is_registered(f"/srv/{odd}", VENV)
    assert not is_registered(PROJECT, f"/venvs/{odd}")
    assert not is_registered(f"/srv/{json.dumps(odd)[1:-1]}", VENV)


@pytest.mark.parametrize("odd", ["two words", "it's", "$HOME", "{a}", "a: b", "a,b", "%20", "</x>", "[*]"])
def test_a_path_that_json_leaves_as_it_is_is_found(odd: str, registry: Path) -> None:
    registry.write_bytes(render(document({f"/srv/{odd}": row(f"/venvs/{odd}")})))
    assert is_registered(f"/srv/{odd}", f"/venvs/{odd}")


def put_file_in_place_of_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


NOT_THERE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.with_name("beside").touch(),
    "in a folder that is missing": lambda path: path.parent.rmdir(),
    "in a folder that is a file": put_file_in_place_of_folder,
    "a folder": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a link that leads nowhere": lambda path: path.symlink_to("nope"),
    "a link that leads in a circle": lambda path: path.symlink_to(path),
    "empty": Path.touch,
    "cut off": lambda path: path.write_bytes(render(document({PROJECT: row(VENV)}))[:-6]),
    "garbage": lambda path: path.write_bytes(bytes(range(256))),
}


@pytest.mark.parametrize("place", NOT_THERE.values(), ids=NOT_THERE)
def test_a_registry_that_cannot_be_read_has_no_mapping(place: Callable[[Path], object], registry: Path) -> None:
    place(registry)
    assert not is_registered(PROJECT, VENV)


def test_a_fifo_that_somebody_writes_to_is_not_waited_for(registry: Path) -> None:
    os.mkfifo(registry)
    other_end = os.open(registry, os.O_RDWR | os.O_NONBLOCK)
    try:
        assert not is_registered(PROJECT, VENV)
    finally:
        os.close(other_end)


def test_a_registry_that_may_not_be_read_has_no_mapping(registry: Path, run: Run) -> None:
    registry.write_bytes(render(document({PROJECT: row(VENV)})))
    ask = [sys.executable, "-c", f"from prime_uve.core.lookup import *; print(is_registered({PROJECT!r}, {VENV!r}))"]
    assert run(*unprivileged(), *ask, cwd=registry.parent).stdout == "True\n"

    registry.chmod(0)
    done = run(*unprivileged(), *ask, cwd=registry.parent)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_link_of_the_user_is_followed(registry: Path) -> None:
    (registry.parent / "elsewhere").write_bytes(render(document({PROJECT: row(VENV)})))
    registry.symlink_to("elsewhere")
    assert is_registered(PROJECT, VENV)


def test_a_registry_in_a_relative_place_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIME_UVE_CACHE", "cache.json")
    with pytest.raises(CacheError, match="not an absolute path"):
        is_registered(PROJECT, VENV)


TEXT = st.sampled_from(["/a", "/b", "/a b", "/é", '/"', "/\n", LINE, '"venvs": {', "\n  }", "}", "venvs", "venv_path"])
FIELDS = st.dictionaries(st.just("venv_path") | TEXT, TEXT, max_size=3)
VALUES = st.dictionaries(st.just("venvs") | TEXT, st.dictionaries(TEXT, FIELDS | TEXT, max_size=4), max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=VALUES, project=TEXT, venv_path=TEXT)
def test_yes_is_never_wrong(values: dict[str, Any], project: str, venv_path: str, registry: Path) -> None:
    registry.write_bytes(render(values))
    mapping = values.get("venvs", {}).get(project)
    is_mapped = isinstance(mapping, dict) and mapping.get("venv_path") == venv_path
    is_plain = all(text in ("/a", "/b", "/a b", "}", "venvs", "venv_path") for text in (project, venv_path))

    if is_registered(project, venv_path):
        assert is_mapped
    elif is_mapped and is_plain:
        assert next(iter(mapping)) != "venv_path"
