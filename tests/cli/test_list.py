"""``prime-uve list``: what is registered, and what it came to."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.paths import expand, generate_venv_path
from tests import commands, hung_mount
from tests.commands import Git, Run
from tests.terminal import converse
from tests.test_imports import UNMEASURED
from tests.trees import tree

KEYS = [
    "project", "project_name", "venv_path", "venv_path_expanded", "status", "issues", "created_at", "last_validated",
    "python", "last_used", "shared_with", "kept", "repository", "probable_project", "probable_by",
    "in_use", "size", "freed", "unseen",
]  # fmt: skip
HEADER = "STATUS\tPROJECT\tENVIRONMENT\tPYTHON\tLAST USED\tSIZE\tFREES\tKEPT\tSHARED WITH\tIN USE\tREPOSITORY\tISSUES"
REST = "\t" * HEADER.count("\t", HEADER.index("ENVIRONMENT"))


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
    assert done.stdout == f"{HEADER}\nvalid\t{tmp_path}/a b\t{path}{REST}\n"


def test_each_project_has_its_status_and_what_is_the_matter(run: Run, tmp_path: Path, statuses: dict[str, str]) -> None:
    done = run("prime-uve", "list", cwd=tmp_path)
    assert done.returncode == 0
    header, *lines = done.stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    assert header == HEADER
    assert {project: status for status, project, *_ in rows} == statuses
    assert [project for _, project, *_ in rows] == sorted(statuses)
    for status, project, *_, issues in rows:
        assert (f"{project!r}" in issues or f"'{project}/" in issues) == (status != "valid"), project
    assert "hunter2" not in done.stdout
    assert "line 1 (TOKEN)" in done.stdout


def test_as_json_each_project_is_an_object_with_these_keys(
    run: Run, tmp_path: Path, statuses: dict[str, str], home: Path
) -> None:
    done = run("prime-uve", "list", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(done.stdout)
    assert {row["project"]: row["status"] for row in rows} == statuses
    for row in rows:
        assert list(row) == KEYS
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
    assert done.stdout == f"{HEADER}\nvalid\t{tmp_path}/{shown}\t{path}{REST}\n"
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
    assert cache.read_bytes() == damaged


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
    assert all(list(row) == KEYS for row in rows)


def test_another_registry_can_be_named(call: Run, tmp_path: Path, home: Path) -> None:
    register(tmp_path / "one")
    other = tmp_path / "other.json"
    os.rename(home / ".prime-uve/cache.json", other)
    rows = json.loads(call("prime-uve", "list", "--json", cwd=tmp_path, env={"PRIME_UVE_CACHE": str(other)}).stdout)
    assert [row["project"] for row in rows] == [str(tmp_path / "one")]
    done = call("prime-uve", "list", cwd=tmp_path, env={"PRIME_UVE_CACHE": "other.json"})
    assert done.returncode == 2
    assert "PRIME_UVE_CACHE is 'other.json', which is not an absolute path" in done.stderr


# What is shown when it is asked for


def lines(said: str) -> list[list[str]]:
    header, *rows = said.splitlines()
    assert header == HEADER
    return [row.split("\t") for row in rows]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        pytest.param(["--status", "valid"], {"valid"}, id="one status"),
        pytest.param(["--status", "valid", "--status", "error"], {"valid", "error"}, id="two"),
        pytest.param(["--orphan-only"], {"orphaned"}, id="orphaned"),
        pytest.param(["--orphan-only", "--status", "mismatch"], {"orphaned", "mismatch"}, id="orphaned and another"),
    ],
)
def test_rows_can_be_chosen_by_status(
    call: Run, tmp_path: Path, statuses: dict[str, str], options: list[str], shown: set[str]
) -> None:
    found = lines(call("prime-uve", "list", *options, cwd=tmp_path).stdout)
    assert {project: status for status, project, *_ in found} == {
        project: status for project, status in statuses.items() if status in shown
    }
    documents = json.loads(call("prime-uve", "list", "--json", *options, cwd=tmp_path).stdout)
    assert {row["status"] for row in documents} == shown


def test_a_status_that_nothing_has_is_said(call: Run, tmp_path: Path) -> None:
    register(tmp_path / "good")
    assert call("prime-uve", "list", "--orphan-only", cwd=tmp_path).stdout == "nothing has that status\n"
    assert call("prime-uve", "list", "--orphan-only", "--json", cwd=tmp_path).stdout == "[]\n"


@pytest.mark.parametrize(
    "options", [["--status", "broken"], ["--sort", "name"], ["--timeout", "0"], ["--timeout", "soon"], ["there"]]
)
def test_what_is_no_option_is_a_usage_error(call: Run, tmp_path: Path, options: list[str]) -> None:
    done = call("prime-uve", "list", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: prime-uve list" in done.stderr


def test_sizes_are_measured_when_they_are_asked_for(run: Run, tmp_path: Path, home: Path) -> None:
    for name, size in {"small": 10_000, "large": 100_000, "linked": 50_000}.items():
        environment = Path(expand(register(tmp_path / name)))
        (environment / "data").write_bytes(b"x" * size)
    (home / "cache").hardlink_to(environment / "data")
    register(tmp_path / "unsynced")
    shutil.rmtree(expand(generate_venv_path(tmp_path / "unsynced")))
    before = tree(home)
    names = ("small", "large", "linked", "unsynced")
    unmeasured = json.loads(run("prime-uve", "list", "--json", cwd=tmp_path).stdout)
    assert {row["size"] for row in unmeasured} == {row["unseen"] for row in unmeasured} == {None}
    documents = json.loads(run("prime-uve", "list", "--json", "--size", cwd=tmp_path).stdout)
    rows = {Path(row["project"]).name: row for row in documents}
    assert rows["large"]["size"] == rows["large"]["freed"] >= 100_000
    assert rows["linked"]["size"] >= rows["linked"]["freed"] + 50_000
    assert rows["unsynced"]["size"] is None
    done = run("prime-uve", "list", "--sort", "size", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [(Path(row[1]).name, row[5], row[6]) for row in lines(done.stdout)] == [
        (name, str(rows[name]["size"] or ""), str(rows[name]["freed"] or ""))
        for name in ("large", "linked", *names[::3])
    ]
    assert tree(home) == before


def test_use_is_looked_for_when_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    environment = Path(expand(register(tmp_path / "demo")))
    script = 'cd "$1" && shift && "$@" && "$@" --json'
    done = run(
        "/bin/sh", "-c", script, "sh", environment, commands.SCRIPTS / "prime-uve", "list", "--in-use", cwd=tmp_path
    )
    row, *document = done.stdout.splitlines()[1:]
    users = json.loads("".join(document))[0]["in_use"]
    assert {user["how"] for user in users} == {"has its working directory in it"}
    (shell,) = [user["pid"] for user in users if user["command"] == "sh -c"]
    assert f"pid {shell} (sh -c) has its working directory in it" in row
    (unasked,) = json.loads(run("prime-uve", "list", "--json", cwd=environment).stdout)
    assert unasked["in_use"] is None


def test_kept_and_shared_and_untracked_stand_in_their_columns(call: Run, tmp_path: Path) -> None:
    path = register(tmp_path / "one")
    Cache().add_mapping(tmp_path / "two", path, "two", "00000000")
    register(tmp_path / "two", venv_path="${HOME}/prime-uve/venvs/two")
    Cache().add_mapping(tmp_path / "two", path, "two", "00000000")
    call("prime-uve", "keep", "--reason", "a\tb", cwd=tmp_path / "one")
    call("prime-uve", "keep", cwd=tmp_path / "two")
    one, two, stranger = lines(call("prime-uve", "list", cwd=tmp_path).stdout)
    assert one[7:9] == ["a\\tb", str(tmp_path / "two")]
    assert (two[0], two[7]) == ("mismatch", "kept")
    assert stranger[:3] == ["untracked", str(tmp_path / "two"), "${HOME}/prime-uve/venvs/two"]


def test_a_person_sees_the_checkouts_of_a_repository_together(tmp_path: Path, repo: Path, git: Git) -> None:
    git(repo, "worktree", "add", "--quiet", "--detach", tmp_path / "a worktree")
    for project in (repo, tmp_path / "a worktree", tmp_path / "b"):
        register(project)
    (Path(expand(generate_venv_path(repo))) / "pyvenv.cfg").write_text("version = 3.11.7\n")
    shutil.rmtree(tmp_path / "b")
    Cache().edit(lambda rows: rows[str(repo)].update(kept={"reason": "thesis"}))
    code, said = converse("prime-uve", "list", "--size", cwd=tmp_path, columns=400)
    told = [line.rstrip() for line in re.sub("\x1b\\[[0-9?]*[A-Za-z]", "", said).replace("\r", "\n").splitlines()]
    told = [line for line in told if line]
    assert code == 0
    titles = next(line for line in told if line.startswith("STATUS"))
    assert titles.split() == ["STATUS", "PROJECT", "ENVIRONMENT", "PYTHON", "SIZE", "FREES", "NOTES"]
    at = told.index(titles)
    assert told[at + 1].split(maxsplit=1) == [str(repo), "(2 checkouts)"]
    assert [line.split()[0] for line in told[at + 2 : at + 5]] == ["valid", "valid", "orphaned"]
    assert f"valid       {tmp_path}/a worktree" in told[at + 2]
    assert "3.11.7" in told[at + 3]
    assert " KiB" in told[at + 3]
    assert told[at + 3].endswith("kept: thesis")
    assert any(line.startswith(f"orphaned: the project '{tmp_path}/b' is gone") for line in told[at + 5 :])


def test_a_mount_that_hangs_takes_its_time_out_once(run: Run, tmp_path: Path) -> None:
    mount = tmp_path / "share"
    mount.mkdir()
    register(tmp_path / "good")
    for number in range(200):
        Cache().add_mapping(mount / str(number), f"{mount}/v{number}", "lost", "00000000")
    command = [*hung_mount.prefix(mount), str(commands.SCRIPTS / "prime-uve"), "list", "--timeout", "0.5", "--size"]
    done = run(*command, cwd=tmp_path, timeout=30)
    assert done.returncode == 0, done.stderr
    found = {project: status for status, project, *_ in lines(done.stdout)}
    assert found.pop(str(tmp_path / "good")) == "valid"
    assert set(found.values()) == {"error"}
    assert len(found) == 200


def test_what_it_does_not_need_is_not_imported(tmp_path: Path) -> None:
    register(tmp_path / "good")
    script = (
        "import sys; from prime_uve.cli.main import main; main(['list'])\n"
        "print(*sorted({'rich', 'psutil', 'dotenv', 'filelock'} & set(sys.modules)))"
    )
    done = commands.run(sys.executable, "-c", script, cwd=tmp_path, env=dict.fromkeys(UNMEASURED))
    assert done.stdout.splitlines()[2:] == [""], done.stderr
