"""Whose environment it probably is, by the editable projects in it."""

import json
import os
from pathlib import Path

import pytest

from prime_uve.core import installed
from prime_uve.core.installed import editables, probable_owner
from prime_uve.core.paths import generate_hash
from tests.commands import Run


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    return tmp_path / "demo_0a1b2c3d"


def record(environment: Path, package: str, content: object, *, packages: str = "lib/python3.12/site-packages") -> Path:
    """Write where a package comes from: an object as JSON, bytes as they are."""
    path = environment / packages / f"{package}.dist-info" / "direct_url.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def editable(url: object) -> dict[str, object]:
    return {"url": url, "dir_info": {"editable": True}}


def test_the_editable_project_is_the_owner(environment: Path) -> None:
    record(environment, "other", {"url": "file:///other", "dir_info": {}})
    record(environment, "demo", editable("file:///home/me/demo"))
    assert probable_owner(str(environment)) == "/home/me/demo"


def test_uv_installs_a_project_so(run: Run, uv: Path, local_package: Path, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    done = run(uv, "sync", "--offline", cwd=local_package, env={"UV_PROJECT_ENVIRONMENT": str(place)})
    assert done.returncode == 0, done.stderr
    assert probable_owner(str(place)) == str(local_package)


@pytest.mark.parametrize("inner", ["", "members/one"], ids=["the project", "the root of a workspace"])
def test_the_hash_in_the_name_decides(tmp_path: Path, inner: str) -> None:
    project = tmp_path / "it's größe"
    environment = tmp_path / f"demo_{generate_hash(project)}"
    record(environment, "a", editable(tmp_path.as_uri() + "/a"))
    record(environment, "z", editable((project / inner).as_uri()))
    assert probable_owner(str(environment)) == str(project)


def test_of_several_the_outermost_is_the_owner(environment: Path) -> None:
    for name, path in {"a": "/srv/project/members/a", "b": "/srv/project", "c": "/srv/project-2/c"}.items():
        record(environment, name, editable(f"file://{path}"))
    assert probable_owner(str(environment)) == "/srv/project"
    assert set(editables(str(environment))) == {"/srv/project", "/srv/project-2/c", "/srv/project/members/a"}


@pytest.mark.parametrize(
    ("url", "project"),
    [
        pytest.param("file:///a%20b/%C3%A9", "/a b/é", id="escapes"),
        pytest.param("file:///caf%E9", "/caf\udce9", id="not UTF-8"),
        pytest.param("file://localhost/a/", "/a", id="this host, and a slash at the end"),
        pytest.param("file:///a/../b", "/b", id="dots"),
        pytest.param("file://server/share", None, id="another host"),
        pytest.param("https://example.invalid/a", None, id="the web"),
        pytest.param("file:relative", None, id="relative"),
        pytest.param("file:///a%00b", None, id="a NUL"),
        pytest.param("file:///\ud800", None, id="half a surrogate pair"),
        pytest.param("file://[/a", None, id="no URL"),
        pytest.param("file:///" + "a/" * 5000, None, id="too long"),
        pytest.param("", None, id="empty"),
        pytest.param(5, None, id="a number"),
        pytest.param(None, None, id="null"),
    ],
)
def test_only_a_file_url_names_a_project(environment: Path, url: object, project: str | None) -> None:
    record(environment, "demo", editable(url))
    assert probable_owner(str(environment)) == project


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 50_000, id="nested too deeply"),
        pytest.param(b'{"url": "file:///a", "dir_info": {"editable": true}}' + b" " * (1 << 16), id="too large"),
        pytest.param([], id="no object"),
        pytest.param({"url": "file:///a"}, id="no dir_info"),
        pytest.param({"url": "file:///a", "dir_info": []}, id="dir_info a list"),
        pytest.param({"url": "file:///a", "dir_info": {"editable": "yes"}}, id="editable a text"),
        pytest.param({"url": "file:///a", "dir_info": {"editable": False}}, id="not editable"),
        pytest.param({"dir_info": {"editable": True}}, id="no url"),
    ],
)
def test_a_record_that_makes_no_sense_hides_no_other(environment: Path, content: object) -> None:
    record(environment, "broken", content)
    assert probable_owner(str(environment)) is None
    record(environment, "demo", editable("file:///home/me/demo"))
    assert probable_owner(str(environment)) == "/home/me/demo"


def test_what_is_no_record_hides_no_other(environment: Path) -> None:
    path = record(environment, "pipe", b"")
    path.unlink()
    os.mkfifo(path)
    path = record(environment, "folder", b"")
    path.unlink()
    path.mkdir()
    (environment / "lib/python3.12/site-packages/loose.dist-info").touch()
    (environment / "lib/python3.13").symlink_to("nowhere")
    record(environment, "demo", editable("file:///home/me/demo"))
    assert probable_owner(str(environment)) == "/home/me/demo"


def test_where_windows_has_the_packages_is_looked_into(environment: Path) -> None:
    record(environment, "demo", editable("file:///home/me/demo"), packages="Lib/site-packages")
    assert probable_owner(str(environment)) == "/home/me/demo"


@pytest.mark.parametrize("path", ["/nowhere/at/all", "/\0", ""], ids=["nothing", "no path", "empty"])
def test_where_there_is_no_environment_there_is_no_owner(path: str) -> None:
    assert probable_owner(path) is None


def test_of_very_many_projects_some_are_compared(environment: Path) -> None:
    for number in range(installed.MOST_PROJECTS + 5):
        record(environment, str(number), editable(f"file:///p{number:03}"))
    assert len(editables(str(environment))) == installed.MOST_PROJECTS
