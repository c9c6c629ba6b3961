"""Where things lie: the home, ``${HOME}`` in and out, containment, and the place of an environment."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prime_uve.core import paths
from prime_uve.core.paths import (
    NAME_LENGTH,
    bases,
    expand,
    expand_path_variables,
    generate_hash,
    generate_venv_path,
    get_project_name,
    is_inside,
    portable,
    registry_path,
    shared_form,
    working_directory,
)
from prime_uve.errors import CacheError, PrimeUveError
from tests.commands import Run

ASK_FOR_HOME = "from prime_uve.core.paths import home; print(home())"
# What file names can hold; the last two are bytes that are not UTF-8, and text that is not ASCII.
ODD_NAMES = ["two words", "it's", 'a"b', "a$b", "a\nb", "a\\b", "${x", "-n", "caf\udce9", "日本"]


# The home


def test_the_home_is_what_home_says(home: Path, run: Run) -> None:
    assert paths.home() == str(home)
    assert run(sys.executable, "-c", ASK_FOR_HOME, cwd=home, env={"HOME": "/elsewhere"}).stdout == "/elsewhere\n"


@pytest.mark.parametrize("value", [None, "", "relative/home", "~"], ids=["unset", "empty", "relative", "a tilde"])
def test_a_home_that_is_no_absolute_path_is_looked_up_in_the_password_database(
    value: str | None, tmp_path: Path, run: Run
) -> None:
    done = run(sys.executable, "-c", ASK_FOR_HOME, cwd=tmp_path, env={"HOME": value})

    assert (done.stdout, done.stderr) == (pwd.getpwuid(os.getuid()).pw_dir + "\n", "")
    assert list(tmp_path.iterdir()) == []


def test_an_account_without_any_home_is_told_how_to_set_one(tmp_path: Path, run: Run) -> None:
    stranger = next(uid for uid in range(54321, 60000) if uid not in {entry.pw_uid for entry in pwd.getpwall()})
    become = ["unshare", "--user", f"--map-user={stranger}"]
    if not shutil.which("unshare") or run(*become, "true", cwd=tmp_path).returncode:
        pytest.skip("this system does not let us be an account that is not in the password database")
    done = run(*become, sys.executable, "-c", ASK_FOR_HOME, cwd=tmp_path, env={"HOME": None})

    said = done.stderr.splitlines()[-1]
    assert said.startswith("prime_uve.errors.CacheError: there is no home directory")
    assert "export HOME=" in said


def test_a_working_directory_that_is_gone_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    assert working_directory() == str(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(PrimeUveError, match=r"the working directory is gone .*; go elsewhere: cd"):
        working_directory()


# References


EXPANSIONS = {
    "braces": ("${HOME}/x", "/home/jane/x"),
    "no braces": ("$HOME/x", "/home/jane/x"),
    "nothing but the home": ("${HOME}", "/home/jane"),
    "in the middle": ("/srv${HOME}/x", "/srv/home/jane/x"),
    "twice": ("$HOME:${HOME}", "/home/jane:/home/jane"),
    "side by side": ("$HOME$HOME", "/home/jane/home/jane"),
    "before a dot and a dash": ("$HOME.a:$HOME-b", "/home/jane.a:/home/jane-b"),
    "the base": ("${PRIME_UVE_VENVS}/x", "/big disk/venvs/x"),
    "the base without braces": ("$PRIME_UVE_VENVS/x", "/big disk/venvs/x"),
    "a longer name": ("$HOMER/$HOME_DIR/$HOME2/$HOMEé", "$HOMER/$HOME_DIR/$HOME2/$HOMEé"),
    "a longer name in braces": ("${HOMER}/${HOME_}", "${HOMER}/${HOME_}"),
    "a shorter name": ("$HOM/${HO}", "$HOM/${HO}"),
    "lower case": ("$home/${Home}", "$home/${Home}"),
    "a brace that is not closed": ("${HOME/x", "${HOME/x"),
    "a default": ("${HOME:-/x}", "${HOME:-/x}"),
    "another variable": ("$USER/${PATH}", "$USER/${PATH}"),
    "a variable that is unset": ("${USERPROFILE}/x", "${USERPROFILE}/x"),
    "a dollar alone": ("/a$/b$", "/a$/b$"),
    "two dollars": ("$$HOME", "$/home/jane"),
    "no reference": ("/a b/c", "/a b/c"),
    "nothing": ("", ""),
}


@pytest.fixture
def jane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/jane")
    monkeypatch.delenv("USERPROFILE")
    monkeypatch.setenv("PRIME_UVE_VENVS", "/big disk/venvs")


@pytest.mark.usefixtures("jane")
@pytest.mark.parametrize(("path", "expanded"), EXPANSIONS.values(), ids=EXPANSIONS)
def test_references_are_replaced(path: str, expanded: str) -> None:
    assert expand(path) == expanded
    assert expand_path_variables(path) == Path(expanded)


@pytest.mark.parametrize("odd", ["$HOME", "${HOME}", "$PRIME_UVE_VENVS", "a$HOMER", "$"])
def test_what_a_variable_holds_is_not_looked_at_again(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", f"/home/{odd}")
    monkeypatch.setenv("PRIME_UVE_VENVS", f"/venvs/{odd}")

    assert expand("${HOME}/x") == f"/home/{odd}/x"
    assert expand("$PRIME_UVE_VENVS/x") == f"/venvs/{odd}/x"


def test_a_base_that_is_set_to_nothing_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIME_UVE_VENVS", "")
    assert expand("${PRIME_UVE_VENVS}/x") == "${PRIME_UVE_VENVS}/x"


PORTABLE = {
    "below the home": ("/home/jane", "/home/jane/a/b", "${HOME}/a/b"),
    "the home itself": ("/home/jane", "/home/jane", "/home/jane"),
    "a home with a slash at its end": ("/home/jane/", "/home/jane/a", "${HOME}/a"),
    "a folder whose name begins like the home": ("/home/jane", "/home/janet/a", "/home/janet/a"),
    "a folder elsewhere": ("/home/jane", "/srv/home/jane/a", "/srv/home/jane/a"),
    "the root as home": ("/", "/srv/a", "/srv/a"),
    "a form that is portable already": ("/home/jane", "${HOME}/a", "${HOME}/a"),
    "a home with odd letters": ("/home/j d\udce9'$x\n", "/home/j d\udce9'$x\n/a", "${HOME}/a"),
    "odd letters below the home": ("/home/jane", "/home/jane/a \"\udcff'\n", "${HOME}/a \"\udcff'\n"),
}


@pytest.mark.parametrize(("home_is", "path", "form"), PORTABLE.values(), ids=PORTABLE)
def test_a_path_below_the_home_is_registered_under_the_variable(
    home_is: str, path: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home_is)
    assert portable(path) == form


def test_a_home_that_is_reached_through_a_link_is_one_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.setenv("HOME", str(tmp_path / "link"))

    assert portable(str(tmp_path / "link/venvs/x")) == "${HOME}/venvs/x"
    assert portable(str(tmp_path / "real/venvs/x")) == "${HOME}/venvs/x"


@given(
    parts=st.lists(st.text(st.characters(exclude_characters="\0/$", codec="utf-8"), min_size=1)), in_home=st.booleans()
)
def test_a_portable_path_means_the_same_place(parts: list[str], *, in_home: bool) -> None:
    path = "/".join([paths.home() if in_home else "", *parts])
    assert expand(portable(path)) == path


# Bases


def test_environments_lie_below_the_home_by_default(home: Path) -> None:
    assert bases() == [f"{home}/prime-uve/venvs"]


BASES = {
    "one": ("/big disk/venvs", ["/big disk/venvs"]),
    "several, the first for new ones": ("/b:/a:/c", ["/b", "/a", "/c"]),
    "nothing between colons": (":/b::/a:", ["/b", "/a"]),
    "under the home": ("${HOME}/v:$HOME/w", ["/home/jane/v", "/home/jane/w"]),
    "nothing but colons": ("::", ["/home/jane/prime-uve/venvs"]),
    "empty": ("", ["/home/jane/prime-uve/venvs"]),
}


@pytest.mark.parametrize(("value", "expected"), BASES.values(), ids=BASES)
def test_a_list_names_the_bases(value: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/jane")
    monkeypatch.setenv("PRIME_UVE_VENVS", value)
    assert bases() == expected


@pytest.mark.parametrize("entry", ["venvs", "./venvs", "../venvs", "~/venvs", "$NOPE/venvs", " /venvs"])
def test_a_relative_base_is_refused_by_name(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIME_UVE_VENVS", f"/good:{entry}")
    with pytest.raises(PrimeUveError, match=r"PRIME_UVE_VENVS holds .* not an absolute path") as caught:
        bases()
    assert repr(entry) in str(caught.value)


def test_the_registry_lies_in_the_home_or_where_its_variable_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry_path() == f"{home}/.prime-uve/cache.json"
    monkeypatch.setenv("PRIME_UVE_CACHE", "/a b/registry.json")
    assert registry_path() == "/a b/registry.json"
    monkeypatch.setenv("PRIME_UVE_CACHE", "")
    assert registry_path() == f"{home}/.prime-uve/cache.json"
    monkeypatch.setenv("PRIME_UVE_CACHE", "a/registry.json")
    with pytest.raises(CacheError, match=r"PRIME_UVE_CACHE is 'a/registry\.json'"):
        registry_path()
    assert list(home.iterdir()) == []


# Containment


INSIDE = {
    "a folder in the base": ("base/x", True),
    "a folder deep in the base": ("base/x/y/z", True),
    "a folder that does not exist": ("base/nope/nope", True),
    "the base": ("base", False),
    "the base with a slash": ("base/", False),
    "the base through a folder in it": ("base/x/..", False),
    "a folder whose name begins like the base": ("base-2/x", False),
    "a folder around the base": (".", False),
    "a folder beside it through '..'": ("base/../base-2", False),
    "a folder in it through '..'": ("base-2/../base/x", True),
    "a link in the base that leads out": ("base/out", False),
    "a folder behind a link that leads out": ("base/out/x", False),
    "a link that leads into the base": ("in", True),
    "a link to the base": ("to-base", False),
    "a folder behind a link to the base": ("to-base/x", True),
    "a link in the base that leads nowhere within it": ("base/dangling", True),
    "a link in the base that leads in a circle": ("base/circle", True),
    "a folder with odd letters": ("base/caf\udce9 '\n$x", True),
}


@pytest.mark.parametrize(("path", "expected"), INSIDE.values(), ids=INSIDE)
@pytest.mark.parametrize("base", ["base", "to-base", "base/"])
def test_containment_is_that_of_real_folders(path: str, base: str, tmp_path: Path, *, expected: bool) -> None:
    for folder in ("base/x/y", "base-2/x"):
        (tmp_path / folder).mkdir(parents=True)
    links = {
        "base/out": "../base-2",
        "base/dangling": "nope",
        "base/circle": "circle",
        "in": "base/x",
        "to-base": "base",
    }
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)

    assert is_inside(os.path.join(tmp_path, path), os.path.join(tmp_path, base)) == expected


@pytest.mark.parametrize(("path", "expected"), [("/x", True), ("/x/y", True), ("/", False), ("//", False)])
def test_everything_but_the_root_is_inside_the_root(path: str, *, expected: bool) -> None:
    assert is_inside(path, "/") == expected


# The hash


@pytest.mark.parametrize(
    ("path", "sha256"),
    [
        ("/nonexistent/prime-uve/project", "940e9e0c"),
        ("/nonexistent/prime-uve/café x", "1763d634"),
        ("/nonexistent/prime-uve/caf\udce9", "30895f35"),
    ],
    ids=["plain", "not ASCII", "not UTF-8"],
)
def test_the_hash_is_the_beginning_of_the_sha_256_of_the_path(path: str, sha256: str) -> None:
    assert generate_hash(Path(path)) == sha256
    assert generate_hash(Path(path) / "sub" / "..") == sha256


def test_one_checkout_has_one_hash_however_it_is_reached(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(project)
    monkeypatch.chdir(project)
    expected = generate_hash(project)

    assert {generate_hash(tmp_path / "link"), generate_hash(Path()), generate_hash(project / ".")} == {expected}
    assert generate_hash(tmp_path / "other") != expected


# The name


NAMES = {
    "a plain name": ("demo", "demo"),
    "upper case": ("MyProject", "myproject"),
    "underscores and dots": ("my_project.core", "my-project-core"),
    "several in a row": ("a-_.b", "a-b"),
    "at both ends": ("--a--", "a"),
    "digits": ("3d", "3d"),
    "blanks, quotes and slashes": ("a 'b'/\\\"c\"", "a-b-c"),
    "a way out": ("../../etc", "etc"),
    "a variable": ("$HOME", "home"),
    "a newline": ("a\nb", "a-b"),
    "some letters that are not ASCII": ("café-Ünïcode", "caf-n-code"),
    "digits that are not ASCII": ("a٣²b", "a-b"),
    "no letter that is ASCII": ("日本", "folder"),
    "nothing but punctuation": ("...", "folder"),
    "empty": ("", "folder"),
    "40 characters": ("x" * 40, "x" * 40),
    "very long": ("x" * 300, "x" * 40),
    "very long, cut at a dash": ("x" * 39 + "-y", "x" * 39),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "Folder"
    path.mkdir()
    return path


@pytest.mark.parametrize(("stated", "name"), NAMES.values(), ids=NAMES)
def test_the_name_is_that_of_the_project(stated: str, name: str, folder: Path) -> None:
    literal = stated.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{literal}"\n')
    assert get_project_name(folder) == name


NAMELESS = {
    "no project table": b"[tool.uv]\nmanaged = true\n",
    "no name": b"[project]\nversion = '1'\n",
    "a number for a name": b"[project]\nname = 5\n",
    "a list for a name": b"[project]\nname = ['demo']\n",
    "a table for a name": b"[project.name]\ndemo = 1\n",
    "text for the table": b"project = 'demo'\n",
    "a list of tables": b"[[project]]\nname = 'demo'\n",
    "broken TOML": b"[project\nname = 'demo'\n",
    "TOML nested without end": b"[project]\nname = 'demo'\nx = " + b"[" * 100_000,
    "not UTF-8": b"[project]\nname = 'demo\xe9'\n",
    "UTF-16": "[project]\nname = 'demo'\n".encode("utf-16"),
    "NULs": b"\0" * 100,
    "empty": b"",
}


@pytest.mark.parametrize("content", NAMELESS.values(), ids=NAMELESS)
def test_a_manifest_that_states_no_name_leaves_the_name_to_the_folder(content: bytes, folder: Path) -> None:
    (folder / "pyproject.toml").write_bytes(content)
    assert get_project_name(folder) == "folder"


OBSTACLES: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a link that leads nowhere": lambda path: path.symlink_to("nope"),
    "a link that leads in a circle": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("place", OBSTACLES.values(), ids=OBSTACLES)
def test_what_is_no_file_in_the_place_of_the_manifest_states_no_name(
    place: Callable[[Path], object], folder: Path
) -> None:
    place(folder / "pyproject.toml")
    assert get_project_name(folder) == "folder"


def test_a_device_in_the_place_of_the_manifest_is_not_read_without_end(folder: Path, run: Run) -> None:
    (folder / "pyproject.toml").symlink_to("/dev/zero")
    ask = "from pathlib import Path; from prime_uve.core.paths import *; print(get_project_name(Path()))"

    done = run("sh", "-c", 'ulimit -v 1000000; exec "$@"', "sh", sys.executable, "-c", ask, cwd=folder)

    assert done.stdout == "folder\n", done.stderr


@pytest.mark.parametrize(
    ("name", "expected"),
    [("My App", "my-app"), ("日本", "project"), ("caf\udce9", "caf"), ("a\nb", "a-b"), ("$x'", "x"), ("-", "project")],
)
def test_a_folder_without_a_manifest_gives_its_name(name: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    assert get_project_name(tmp_path / name) == expected


def test_the_name_of_a_folder_is_that_of_the_real_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    assert get_project_name(tmp_path / "link") == "folder"
    assert get_project_name(Path()) == "folder"


# The place of an environment


def test_an_environment_lies_under_the_variable_of_the_home(project: Path, home: Path) -> None:
    place = generate_venv_path(project)
    assert place == f"${{HOME}}/prime-uve/venvs/demo_{generate_hash(project)}"
    assert is_inside(expand(place), str(home / "prime-uve/venvs"))


PLACES = {
    "one base": ("/big disk", "${PRIME_UVE_VENVS}/demo_#"),
    "one base with a slash": ("/big disk/", "${PRIME_UVE_VENVS}/demo_#"),
    "several bases": ("/b:/a", "/b/demo_#"),
    "one base and a colon": ("/b:", "/b/demo_#"),
    "a base below the home": ("/home/jane/v", "${HOME}/v/demo_#"),
    "a base below the home, by its variable": ("${HOME}/v", "${HOME}/v/demo_#"),
    "several, the first below the home": ("/home/jane/v:/b", "${HOME}/v/demo_#"),
}


@pytest.mark.parametrize(("value", "place"), PLACES.values(), ids=PLACES)
def test_an_environment_lies_in_the_first_base(
    value: str, place: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/jane")
    monkeypatch.setenv("PRIME_UVE_VENVS", value)

    assert generate_venv_path(project) == place.replace("#", generate_hash(project))
    assert os.path.normpath(expand(generate_venv_path(project))).startswith(os.path.normpath(bases()[0]) + "/demo_")


def test_only_what_lies_in_the_base_is_written_under_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIME_UVE_VENVS", "/big")
    assert shared_form("/big/x") == "${PRIME_UVE_VENVS}/x"
    assert shared_form("/bigger/x") == "/bigger/x"
    assert shared_form("/big") == "/big"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_project_with_an_odd_path_gets_an_environment_with_a_plain_one(name: str, tmp_path: Path) -> None:
    project = tmp_path / name
    project.mkdir()
    place = generate_venv_path(project).removeprefix("${HOME}/prime-uve/venvs/")
    assert place.endswith("_" + generate_hash(project))
    assert place.replace("-", "").replace("_", "").isalnum()
    assert place.isascii()


def test_shebang_lines_stay_within_what_the_kernel_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/" + "h" * 38)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{"x" * 200}"\n')

    line = f"#!{expand(generate_venv_path(folder))}/bin/python3.13"

    assert len(get_project_name(folder)) == NAME_LENGTH
    assert len(line) == 127


@pytest.mark.parametrize(
    "text", ["/plain", "/with space", "/it's", "/x'$(touch pwned)", "/new\nline", "/\x1b[2J", "/\udcff\\"]
)
def test_a_quoted_path_is_one_word_to_a_shell_and_runs_nothing(text: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf %s {paths.quoted(text)}"], cwd=tmp_path, capture_output=True, check=True
    )
    assert os.fsdecode(done.stdout) == text
    assert list(tmp_path.iterdir()) == []
