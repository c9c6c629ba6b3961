"""What there is: the mappings of a real registry as rows."""

import re
import shutil
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from prime_uve.core.cache import Cache, CacheError
from prime_uve.core.inventory import InventoryRow, take_inventory
from tests.core import checkouts
from tests.core.checkouts import ENVIRONMENT, LONG_AGO, add

STAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "registry" / "cache.json")


def test_an_empty_registry_is_an_empty_inventory_and_is_not_made(cache: Cache) -> None:
    assert take_inventory(cache) == []
    assert not cache.path.parent.exists()


def test_a_row_says_all_that_is_known_of_a_mapping(cache: Cache, tmp_path: Path, home: Path) -> None:
    project = checkouts.make(tmp_path / "demo")
    checkouts.make_environment()
    add(cache, project)
    (row,) = take_inventory(cache)
    assert row.last_validated is not None
    assert STAMP.fullmatch(row.last_validated)
    assert row.last_validated > LONG_AGO
    assert row == InventoryRow(
        project=str(project),
        project_name="demo",
        venv_path=ENVIRONMENT,
        venv_path_expanded=f"{home}/prime-uve/venvs/demo_0a1b2c3d",
        status="valid",
        issues=[],
        created_at=LONG_AGO,
        last_validated=row.last_validated,
    )


def test_the_names_are_those_that_programs_rely_on() -> None:
    assert [field.name for field in fields(InventoryRow)] == [
        *("project", "project_name", "venv_path", "venv_path_expanded"),
        *("status", "issues", "created_at", "last_validated"),
    ]


def test_rows_come_by_project_each_with_its_status_and_issues(cache: Cache, tmp_path: Path) -> None:
    projects = {name: checkouts.make(tmp_path / name) for name in ("d valid", "b gone", "c changed", "a hidden/demo")}
    checkouts.make_environment()
    for project in projects.values():
        add(cache, project)
    shutil.rmtree(projects["b gone"])
    (projects["c changed"] / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=/elsewhere\n")
    projects["a hidden/demo"].parent.rename(tmp_path / "elsewhere")
    rows = take_inventory(cache)
    assert [(row.project, row.status) for row in rows] == [
        (f"{tmp_path}/a hidden/demo", "error"),
        (f"{tmp_path}/b gone", "orphaned"),
        (f"{tmp_path}/c changed", "mismatch"),
        (f"{tmp_path}/d valid", "valid"),
    ]
    assert [row.issues for row in rows] == [result.issues for _, result in sorted(cache.validate_all().items())]
    assert [len(row.issues) for row in rows] == [1, 1, 1, 0]


def test_the_environment_is_where_the_present_home_has_it(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(cache, checkouts.make(tmp_path / "demo"))
    monkeypatch.setenv("HOME", str(tmp_path / "new"))
    (row,) = take_inventory(cache)
    assert row.venv_path_expanded == f"{tmp_path}/new/prime-uve/venvs/demo_0a1b2c3d"
    assert row.status == "orphaned"


@pytest.mark.parametrize(
    "mapping",
    [
        pytest.param(None, id="null"),
        pytest.param("/v", id="text"),
        pytest.param([{}], id="a list"),
        pytest.param({}, id="an empty object"),
        pytest.param({"venv_path": 1, "project_name": [], "created_at": 0, "last_validated": {}}, id="wrong types"),
    ],
)
def test_a_row_of_wrong_types_is_shown_empty_and_as_an_error(cache: Cache, tmp_path: Path, mapping: object) -> None:
    project = str(checkouts.make(tmp_path / "demo"))
    cache.edit(lambda rows: rows.update({project: mapping}))
    (row,) = take_inventory(cache)
    (issue,) = row.issues
    assert "names no environment" in issue
    shown: dict[str, Any] = asdict(row)
    assert shown.pop("last_validated") is None or isinstance(mapping, dict)
    assert shown == {
        "project": project,
        "project_name": "",
        "venv_path": "",
        "venv_path_expanded": "",
        "status": "error",
        "issues": [issue],
        "created_at": None,
    }


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(b'{"version": "2.0", "venvs": {}}', "newer prime-uve", id="newer"),
        pytest.param(None, "could not read", id="a folder"),
    ],
)
def test_a_registry_that_cannot_be_read_is_no_empty_inventory(cache: Cache, raw: bytes | None, message: str) -> None:
    if raw is None:
        cache.path.mkdir(parents=True)
    else:
        cache.path.parent.mkdir()
        cache.path.write_bytes(raw)
    with pytest.raises(CacheError, match=message):
        take_inventory(cache)


def test_of_a_damaged_registry_the_readable_part_is_shown_and_the_rest_is_kept(
    cache: Cache, capfd: pytest.CaptureFixture[str]
) -> None:
    cache.path.parent.mkdir()
    raw = b'{"version": "1.0", "venvs": {"/whole": {"venv_path": "/v"}, "/cut": {"venv_pa'
    cache.path.write_bytes(raw)
    assert [row.project for row in take_inventory(cache)] == ["/whole"]
    assert f"{cache.path} is damaged" in capfd.readouterr().err
    assert raw in {entry.read_bytes() for entry in cache.path.parent.iterdir()}
