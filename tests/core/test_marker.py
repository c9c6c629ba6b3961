"""The marker in an environment."""

import json
import os
import stat
from pathlib import Path

import pytest

from prime_uve.core import marker


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    folder = tmp_path / "environment"
    folder.mkdir()
    (folder / "pyvenv.cfg").touch()
    return folder


@pytest.mark.parametrize("project", ["/home/me/project", "/with space/'\"$\n", "/é", "/not-utf-8-\udcff"])
def test_a_marker_names_the_checkout(environment: Path, project: str) -> None:
    assert marker.mark(str(environment), project)
    assert marker.owner(str(environment)) == project


def test_a_marker_is_private_whatever_the_umask(environment: Path) -> None:
    before = os.umask(0)
    try:
        marker.mark(str(environment), "/p")
    finally:
        os.umask(before)
    assert stat.S_IMODE((environment / marker.NAME).stat().st_mode) == 0o600


def test_a_marker_leaves_nothing_beside_it(environment: Path) -> None:
    marker.mark(str(environment), "/p")
    assert {path.name for path in environment.iterdir()} == {"pyvenv.cfg", marker.NAME}


def test_a_marker_that_is_right_is_not_written_again(environment: Path) -> None:
    marker.mark(str(environment), "/p")
    before = (environment / marker.NAME).stat()
    assert marker.mark(str(environment), "/p")
    assert (environment / marker.NAME).stat().st_ino == before.st_ino


def test_a_marker_follows_a_project_that_has_moved(environment: Path) -> None:
    marker.mark(str(environment), "/old")
    assert marker.mark(str(environment), "/new")
    assert marker.owner(str(environment)) == "/new"


@pytest.mark.parametrize("kind", ["missing", "empty folder", "folder of somebody's", "file"])
def test_nothing_is_written_into_what_is_no_environment(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    if kind in ("empty folder", "folder of somebody's"):
        place.mkdir()
    if kind == "folder of somebody's":
        (place / "thesis.tex").touch()
    if kind == "file":
        place.touch()
    before = sorted(tmp_path.rglob("*"))
    assert not marker.mark(str(place), "/p")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no project"),
        pytest.param(b'{"project": 1}', id="a number"),
        pytest.param(b'{"project": "relative"}', id="a relative path"),
        pytest.param(b"[" * 50_000, id="nested too deeply"),
    ],
)
def test_an_unreadable_marker_names_nobody_and_is_replaced(environment: Path, content: bytes) -> None:
    (environment / marker.NAME).write_bytes(content)
    assert marker.owner(str(environment)) is None
    assert marker.mark(str(environment), "/p")
    assert marker.owner(str(environment)) == "/p"


def test_a_marker_that_is_a_fifo_does_not_hang(environment: Path) -> None:
    os.mkfifo(environment / marker.NAME)
    assert marker.owner(str(environment)) is None


def test_a_folder_in_place_of_the_marker_is_no_failure(environment: Path) -> None:
    (environment / marker.NAME).mkdir()
    assert not marker.mark(str(environment), "/p")
    assert {path.name for path in environment.iterdir()} == {"pyvenv.cfg", marker.NAME}


def test_touching_sets_the_last_use_and_says_whether_there_is_a_marker(environment: Path) -> None:
    assert not marker.touch(str(environment))
    marker.mark(str(environment), "/p")
    path = environment / marker.NAME
    os.utime(path, (0, 0))
    assert marker.touch(str(environment))
    assert path.stat().st_mtime > 0
    assert json.loads(path.read_bytes()) == {"version": "1.0", "project": "/p"}


@pytest.mark.parametrize("path", ["\0", "/nowhere/at/all"])
def test_a_path_that_is_none_is_no_environment(path: str) -> None:
    assert not marker.touch(path)
    assert not marker.is_environment(path)
