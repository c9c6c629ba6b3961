"""Which project, and whose env file? For workspaces the answer is uv's, which is asked."""

import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from prime_uve.core.env_file import NAME
from prime_uve.core.project import find_env_root, find_project_root
from prime_uve.errors import ProjectError
from tests.commands import Run

MEMBER = '[project]\nname = "member"\nversion = "0"\nrequires-python = ">=3.11"\n'
ROOT = MEMBER.replace("member", "root")


def workspace(members: str, exclude: str = "[]") -> str:
    return f"[tool.uv.workspace]\nmembers = {members}\nexclude = {exclude}\n"


def make(folder: Path, manifest: str = MEMBER) -> Path:
    """Make a project."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(manifest)
    return folder


def give_env_file(folder: Path) -> None:
    (folder / NAME).write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/x_1\n")


def env_root(start: Path) -> Path | None:
    found = find_env_root(str(start))
    return None if found is None else Path(found)


def project_root(start: Path) -> Path:
    return Path(find_project_root(str(start)))


# Whose env file


@pytest.mark.parametrize("below", ["", "src", "/".join("d" * 100)], ids=["itself", "a subfolder", "very deep"])
def test_the_env_file_of_a_project_governs_what_lies_below(project: Path, below: str) -> None:
    give_env_file(project)
    (project / below).mkdir(parents=True, exist_ok=True)

    assert env_root(project / below) == project
    assert project_root(project / below) == project


def test_a_project_without_an_env_file_has_none(project: Path) -> None:
    assert env_root(project) is None


def test_a_folder_in_no_project_has_none(tmp_path: Path) -> None:
    assert env_root(tmp_path) is None
    with pytest.raises(ProjectError, match="make a project: uv init") as caught:
        find_project_root(str(tmp_path))
    assert repr(str(tmp_path)) in str(caught.value)


@pytest.mark.parametrize("manifest", [MEMBER, "", "[project", "x = " + "[" * 100_000], ids=range(4))
def test_the_file_of_an_unrelated_project_above_is_not_taken(project: Path, manifest: str) -> None:
    give_env_file(project)
    inner = make(project / "vendor/inner", manifest)

    for start in (inner, inner / "src"):
        start.mkdir(exist_ok=True)
        with pytest.raises(ProjectError) as caught:
            find_env_root(str(start))
        said = str(caught.value)
        assert said.startswith(f"{str(inner)!r} is a project of its own")
        assert f"inside {str(project)!r}" in said
        assert f"prime-uve init {str(inner)!r}" in said
    assert project_root(inner) == inner


def test_a_file_above_that_lies_in_no_project_is_nobodys(tmp_path: Path) -> None:
    give_env_file(tmp_path)
    (tmp_path / "scratch/deep").mkdir(parents=True)
    assert env_root(tmp_path / "scratch/deep") is None
    assert env_root(make(tmp_path / "nested")) is None, "and is no reason to refuse a project"
    assert env_root(tmp_path) == tmp_path, "though who stands beside it means it"


def test_a_nested_project_with_a_file_of_its_own_is_governed_by_it(project: Path) -> None:
    inner = make(project / "vendor/inner")
    give_env_file(inner)
    assert env_root(inner / "src") == inner
    give_env_file(project)
    assert env_root(inner) == inner
    assert env_root(project / "vendor") == project


def test_a_member_of_a_workspace_is_governed_by_its_root(project: Path) -> None:
    make(project, ROOT + workspace("['packages/*']"))
    member = make(project / "packages/a")
    assert env_root(member) is None
    assert project_root(member) == project

    give_env_file(project)
    assert env_root(member) == project

    give_env_file(member)
    assert env_root(member / "src") == member
    assert project_root(member) == project


def test_a_workspace_is_its_own_root(project: Path) -> None:
    make(project, ROOT + workspace("['inner']"))
    inner = make(project / "inner", ROOT + workspace("[]"))
    assert env_root(inner) is None
    assert project_root(inner) == inner

    give_env_file(project)
    with pytest.raises(ProjectError, match=re.escape(f"{str(inner)!r} is a project of its own")):
        env_root(inner)
    give_env_file(inner)
    assert env_root(inner) == inner


def test_a_file_above_the_root_of_the_workspace_is_not_taken(project: Path) -> None:
    give_env_file(project)
    root = make(project / "nested", ROOT + workspace("['a']"))
    member = make(root / "a")

    with pytest.raises(ProjectError, match=re.escape(f"{str(root)!r} is a project of its own")):
        env_root(member)
    assert project_root(member) == root


def test_a_project_that_the_workspace_excludes_does_not_take_its_file(project: Path) -> None:
    make(project, ROOT + workspace("['packages/*']", "['packages/a']"))
    give_env_file(project)
    member = make(project / "packages/a")

    with pytest.raises(ProjectError, match="make it a member of the workspace"):
        env_root(member)


@pytest.mark.parametrize("obstacle", ["a folder", "a link that leads nowhere", "a link in a circle", "a FIFO"])
def test_what_is_no_file_in_the_place_of_the_env_file_is_still_there(project: Path, obstacle: str) -> None:
    give_env_file(project)
    inner = make(project / "inner")
    match obstacle:
        case "a folder":
            (inner / NAME).mkdir()
        case "a link that leads nowhere":
            (inner / NAME).symlink_to("nope")
        case "a link in a circle":
            (inner / NAME).symlink_to(NAME)
        case _:
            os.mkfifo(inner / NAME)

    assert env_root(inner) == inner


def test_a_fifo_for_a_manifest_is_not_waited_for(project: Path) -> None:
    give_env_file(project)
    (project / "inner").mkdir()
    os.mkfifo(project / "inner/pyproject.toml")

    with pytest.raises(ProjectError, match="project of its own"):
        env_root(project / "inner")


def test_a_project_that_is_reached_through_a_link_is_the_real_one(project: Path, tmp_path: Path) -> None:
    give_env_file(project)
    (project / "src").mkdir()
    (tmp_path / "link").symlink_to(project)
    (tmp_path / "deep").symlink_to(project / "src")

    for start in (tmp_path / "link", tmp_path / "link/src", tmp_path / "deep"):
        assert env_root(start) == project
        assert project_root(start) == project


def test_a_start_is_taken_from_the_working_directory(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give_env_file(project)
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    assert env_root(Path()) == project
    assert env_root(Path("../..")) is None


@pytest.mark.parametrize("name", ["two words", "it's $HOME", "a\nb", "caf\udce9", "日本", "p[a]*?"])
def test_a_path_may_hold_anything(name: str, tmp_path: Path) -> None:
    root = make(tmp_path / name, ROOT + workspace("['*/a']"))
    member = make(root / name / "a")
    give_env_file(root)

    assert env_root(member / "src") == root
    assert project_root(member) == root


# Workspaces, as uv sees them


class Layout(NamedTuple):
    """Which root has the project at `start`: the workspace (``.``), or itself? All other folders of `with_` are too."""

    members: str
    start: str
    root: str
    exclude: str = "[]"
    others: tuple[str, ...] = ()
    other: str = MEMBER.replace("member", "other")


IN, OUT = ".", "itself"
LAYOUTS = {
    "a glob": Layout("['packages/*']", "packages/a", IN),
    "a glob that goes no deeper": Layout("['packages/*']", "packages/a/b", OUT),
    "a glob in the middle": Layout("['*/core']", "a/core", IN),
    "a glob in the middle that goes no deeper": Layout("['*/core']", "a/b/core", OUT),
    "no glob": Layout("['a']", "a", IN),
    "another folder": Layout("['a']", "b", OUT),
    "a dot and a slash": Layout("['./packages/*']", "packages/a", IN),
    "a slash at the end": Layout("['packages/a/']", "packages/a", IN),
    "a folder and back": Layout("['x/../packages/*']", "packages/a", IN),
    "out and in again": Layout("['../workspace/a']", "a", OUT),
    "an absolute path": Layout("['{root}/a']", "a", IN),
    "an absolute path elsewhere": Layout("['/nowhere/a']", "a", OUT),
    "a pattern for the root": Layout("['.']", "a", OUT),
    "an empty pattern": Layout("['']", "a", OUT),
    "two stars": Layout("['**']", "a", IN),
    "two stars, deep": Layout("['**']", "a/b", OUT, others=("a",)),
    "two stars at the end": Layout("['x/**']", "x/a", IN),
    "two stars at the end are one folder at least": Layout("['x/**']", "x", OUT),
    "two stars at the beginning": Layout("['**/lib']", "x/y/lib", IN),
    "two stars for no folder": Layout("['**/lib']", "lib", IN),
    "two stars in the middle": Layout("['a/**/b']", "a/x/y/b", IN),
    "two stars in the middle for no folder": Layout("['a/**/b']", "a/b", IN),
    "two stars twice": Layout("['**/a/**/b']", "a/c/b", IN),
    "two stars that lead elsewhere": Layout("['**/a/**/b']", "c/d/b", OUT),
    "two stars and one": Layout("['a/**/*']", "a/b", IN),
    "a question mark": Layout("['packages/?']", "packages/a", IN),
    "a question mark for a slash": Layout("['a?b']", "a/b", OUT),
    "a class": Layout("['packages/[a-c]']", "packages/b", IN),
    "a class that is negated": Layout("['packages/[!ab]']", "packages/b", OUT),
    "a caret in a class": Layout("['packages/[^b]']", "packages/b", IN),
    "braces": Layout("['packages/{a,b}']", "packages/a", OUT),
    "another case": Layout("['Packages/*']", "packages/a", OUT),
    "a hidden folder": Layout("['packages/*']", "packages/.a", IN),
    "a blank": Layout("['my packages/*']", "my packages/a", IN),
    "a bracket that is escaped": Layout("['p[[]x]/*']", "p[x]/a", IN),
    "no members": Layout("[]", "a", OUT),
    "excluded": Layout("['packages/*']", "packages/a", OUT, exclude="['packages/a']"),
    "excluded by a glob": Layout("['packages/*']", "packages/ab", OUT, exclude="['packages/a*']"),
    "excluded by a glob that goes deeper": Layout("['x/*/*']", "x/a/b", OUT, exclude="['x/*']"),
    "excluded by a question mark for a slash": Layout("['x/*/*']", "x/a/b", OUT, exclude="['x/a?b']"),
    "excluded by a name at any depth": Layout("['x/*/*']", "x/a/b", OUT, exclude="['**/b']"),
    "excluded by a name at no depth": Layout("['*']", "b", OUT, exclude="['**/b']"),
    "excluded with a dot and a slash": Layout("['*']", "b", OUT, exclude="['./b/']"),
    "excluded by an absolute path": Layout("['*']", "b", OUT, exclude="['{root}/b']"),
    "the folder above excluded": Layout("['x/*/*']", "x/a/b", IN, exclude="['x/a']"),
    "the folder above excluded at any depth": Layout("['x/*/*']", "x/a/b", IN, exclude="['**/a']"),
    "another one excluded": Layout("['packages/*']", "packages/a", IN, exclude="['packages/b']"),
    "a project in between": Layout("['a', 'a/b']", "a/b", OUT, others=("a",)),
    "a manifest in between": Layout("['a/b']", "a/b", OUT, others=("a",), other=""),
    "a workspace in between that includes it": Layout(
        "['a', 'a/b']", "a/b", "a", others=("a",), other=ROOT + workspace("['b']")
    ),
    "a workspace in between that does not": Layout(
        "['a', 'a/b']", "a/b", OUT, others=("a",), other=ROOT + workspace("['c']")
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("is_virtual", [False, True], ids=["root is a project", "root is none"])
def test_the_root_is_the_one_that_uv_finds(
    layout: Layout, tmp_path: Path, run: Run, uv: Path, *, is_virtual: bool
) -> None:
    root = tmp_path / "workspace"
    table = workspace(layout.members, layout.exclude).replace("{root}", str(root))
    make(root, table if is_virtual else ROOT + table)
    for other in layout.others:
        make(root / other, layout.other)
    start = make(root / layout.start)
    expected = str(start if layout.root == OUT else root / layout.root)

    assert find_project_root(str(start)) == os.path.normpath(expected)
    asked = run(uv, "workspace", "dir", "--offline", "--no-config", cwd=start)
    assert asked.stdout.strip() == os.path.normpath(expected), asked.stderr


UNUSABLE = {
    "members that are no list": "[tool.uv.workspace]\nmembers = 'a'\n",
    "a workspace that is no table": "[tool.uv]\nworkspace = 5\n",
    "a uv that is no table": "[tool]\nuv = ['workspace']\n",
    "a table without members": "[tool.uv.workspace]\n",
    "members that are no text": "[tool.uv.workspace]\nmembers = [1, ['a'], {x = 'a'}]\n",
    "a NUL": '[tool.uv.workspace]\nmembers = ["\\u0000/*", "\\u0000*/a"]\n',
    "brackets that are not closed": "[tool.uv.workspace]\nmembers = ['[a', '[!', '[z-a]']\n",
    "stars without end": f"[tool.uv.workspace]\nmembers = ['{'**/a*/' * 500}b']\n",
    "broken TOML": "[tool.uv.workspace\n",
}


@pytest.mark.parametrize("table", UNUSABLE.values(), ids=UNUSABLE)
def test_a_workspace_that_cannot_be_understood_includes_nothing(table: str, project: Path) -> None:
    make(project, table)
    member = make(project / "/".join("a" * 30))
    assert project_root(member) == member


def test_a_member_is_looked_up_without_looking_at_the_folders(project: Path) -> None:
    """A walk through a tree would not end here: each folder holds two links to the top."""
    make(project, ROOT + workspace("['**/nope']"))
    for name in "ab":
        (project / name).symlink_to(".")
    member = make(project / "member")
    assert project_root(member) == member
