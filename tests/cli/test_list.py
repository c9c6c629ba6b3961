"""``prime-uve list``: what is registered, and what it came to."""

import json
import os
import re
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.paths import expand, generate_venv_path
from tests.commands import Run
from tests.terminal import converse
from tests.trees import tree

KEYS = {
    "project", "project_name", "venv_path", "venv_path_expanded", "status", "issues", "created_at", "last_validated",
}  # fmt: skip


def register(project: Path, *, venv_path: str = "") -> str:
    """Register a project with an env file and an environment; return the environment as registered."""
    path = venv_path or generate_venv_path(project)
    project.mkdir(exist_ok=True)
    (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={path}\n")
    Path(expand(path)).mkdir(parents=True)
    (Path(expand(path)) / "pyvenv.cfg").touch()
    Cache().add_mapping(project, path, "demo", "00000000")
    return path


@pytest.fixture
def statuses(tmp_path: Path) -> dict[str, str]:
    """Register projects, one of each kind; return what each has to come to."""
    projects = {name: tmp_path / name for name in ("good", "gone", "changed", "broken", "unsynced", "silent")}
    for project in projects.values():
        register(project)
    (projects["gone"] / ".env.uve").unlink()
    projects["gone"].rmdir()
    (projects["changed"] / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/other\n")
    (projects["broken"] / ".env.uve").write_text("TOKEN=hunter2 hunter2\n")
    environment = Path(expand(generate_venv_path(projects["unsynced"])))
    (environment / "pyvenv.cfg").unlink()
    environment.rmdir()
    (projects["silent"] / ".env.uve").unlink()
    expected = {
        "good": "valid", "gone": "orphaned", "changed": "mismatch", "broken": "error",
        "unsynced": "orphaned", "silent": "orphaned",
    }  # fmt: skip
    return {str(projects[name]): status for name, status in expected.items()}


def test_an_empty_registry_is_a_hint_and_is_not_made(run: Run, tmp_path: Path, home: Path) -> None:
    done = run("prime-uve", "list", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "nothing is registered; register a project: prime-uve init\n"
    assert run("prime-uve", "list", "--json", cwd=tmp_path).stdout == "[]\n"
    assert tree(home) == {}


def test_in_a_pipe_each_row_is_a_line_and_each_cell_ends_at_a_tab(run: Run, tmp_path: Path) -> None:
    path = register(tmp_path / "a b")
    done = run("prime-uve", "list", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"STATUS\tPROJECT\tENVIRONMENT\nvalid\t{tmp_path}/a b\t{path}\n"


def test_each_project_has_its_status_and_what_is_the_matter(run: Run, tmp_path: Path, statuses: dict[str, str]) -> None:
    done = run("prime-uve", "list", cwd=tmp_path)
    assert done.returncode == 0
    header, *lines = done.stdout.splitlines()
    rows = [line.split("\t") for line in lines if "\t" in line]
    assert header == "STATUS\tPROJECT\tENVIRONMENT"
    assert {project: status for status, project, _ in rows} == statuses
    assert [project for _, project, _ in rows] == sorted(statuses)
    issues = [line for line in lines if "\t" not in line]
    for project, status in statuses.items():
        told = [issue for issue in issues if f"{project!r}" in issue or f"'{project}/" in issue]
        assert bool(told) == (status != "valid"), project
    assert "hunter2" not in done.stdout
    assert any("line 1 (TOKEN)" in issue for issue in issues)


def test_as_json_each_project_is_an_object_with_these_keys(
    run: Run, tmp_path: Path, statuses: dict[str, str], home: Path
) -> None:
    done = run("prime-uve", "list", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(done.stdout)
    assert {row["project"]: row["status"] for row in rows} == statuses
    for row in rows:
        assert row.keys() == KEYS
        assert row["project_name"] == "demo"
        assert row["venv_path_expanded"] == row["venv_path"].replace("${HOME}", str(home))
        assert bool(row["issues"]) == (row["status"] != "valid")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("two\nlines", "two\\nlines", id="a newline"),
        pytest.param("a\tb", "a\\tb", id="a tab"),
        pytest.param("\x1b[31mred\x07", "\\x1b[31mred\\x07", id="what a terminal obeys"),
        pytest.param("\udcff", "\\udcff", id="not UTF-8"),
        pytest.param("\u202egpj", "\\u202egpj", id="what turns text round"),
        pytest.param("größe", "größe", id="letters"),
    ],
)
def test_no_name_breaks_the_table_or_the_document(call: Run, tmp_path: Path, name: str, shown: str) -> None:
    project = tmp_path / name
    path = register(project)
    done = call("prime-uve", "list", cwd=tmp_path)
    assert done.stdout == f"STATUS\tPROJECT\tENVIRONMENT\nvalid\t{tmp_path}/{shown}\t{path}\n"
    (row,) = json.loads(call("prime-uve", "list", "--json", cwd=tmp_path).stdout)
    assert (row["project"], row["status"]) == (str(project), "valid")


@pytest.mark.parametrize("columns", [40, 100, 400])
def test_on_a_terminal_it_fits_and_nothing_is_cut_off(tmp_path: Path, columns: int) -> None:
    path = register(tmp_path / "[bold]markup[red]")
    code, said = converse("prime-uve", "list", cwd=tmp_path, columns=columns)
    lines = re.sub("\x1b\\[[0-9]*m", "", said).splitlines()
    assert code == 0
    assert "\t" not in said
    assert all(len(line) <= columns for line in lines)
    assert lines[0].split() == ["STATUS", "PROJECT", "ENVIRONMENT"]
    project_from, environment_from = lines[0].index("PROJECT"), lines[0].index("ENVIRONMENT")
    assert "".join(line[:project_from].strip() for line in lines[1:]) == "valid"
    assert "".join(line[project_from:environment_from].strip() for line in lines[1:]) == (
        f"{tmp_path}/[bold]markup[red]"
    )
    assert "".join(line[environment_from:].strip() for line in lines[1:]) == path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param('{"version": "9.0", "venvs": {}}', "upgrade prime-uve", id="newer"),
        pytest.param(None, "is not a regular file", id="a folder"),
    ],
)
def test_a_registry_that_cannot_be_read_is_a_sentence(
    call: Run, tmp_path: Path, home: Path, content: str | None, said: str
) -> None:
    cache = home / ".prime-uve/cache.json"
    cache.parent.mkdir()
    if content is None:
        cache.mkdir()
    else:
        cache.write_text(content)
    before = tree(home)
    for options in ([], ["--json"]):
        done = call("prime-uve", "list", *options, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert said in done.stderr
    assert tree(home) == before


def test_a_damaged_registry_shows_what_is_left_of_it(run: Run, tmp_path: Path, home: Path) -> None:
    register(tmp_path / "one")
    register(tmp_path / "two")
    cache = home / ".prime-uve/cache.json"
    damaged = cache.read_bytes()[:-40]
    cache.write_bytes(damaged)
    done = run("prime-uve", "list", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1, "what the read has told, the write does not tell again"
    assert f"{cache} is damaged" in done.stderr
    assert done.stdout.count("valid\t") == 2
    assert damaged in {copy.read_bytes() for copy in cache.parent.glob("cache.json.damaged-*")}


def test_rows_that_make_no_sense_are_errors_and_hide_no_other(call: Run, tmp_path: Path, home: Path) -> None:
    register(tmp_path / "good")
    cache = home / ".prime-uve/cache.json"
    document = json.loads(cache.read_bytes())
    document["venvs"] |= {"/a": None, "/b": {}, "/c": {"venv_path": 5, "project_name": [], "created_at": {}}}
    cache.write_text(json.dumps(document))
    rows = json.loads(call("prime-uve", "list", "--json", cwd=tmp_path).stdout)
    assert {row["project"]: row["status"] for row in rows} == {
        "/a": "error", "/b": "error", "/c": "error", str(tmp_path / "good"): "valid",
    }  # fmt: skip
    assert all(row.keys() == KEYS for row in rows)


def test_another_registry_can_be_named(call: Run, tmp_path: Path, home: Path) -> None:
    register(tmp_path / "one")
    other = tmp_path / "other.json"
    os.rename(home / ".prime-uve/cache.json", other)
    rows = json.loads(call("prime-uve", "list", "--json", cwd=tmp_path, env={"PRIME_UVE_CACHE": str(other)}).stdout)
    assert [row["project"] for row in rows] == [str(tmp_path / "one")]
    done = call("prime-uve", "list", cwd=tmp_path, env={"PRIME_UVE_CACHE": "other.json"})
    assert done.returncode == 2
    assert "PRIME_UVE_CACHE is 'other.json', which is not an absolute path" in done.stderr
