"""The env files of a checkout: which value counts, what is no env file, which environment may be named, and writing."""

import os
import re
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prime_uve.core.env_file import (
    KEY,
    LOCAL_NAME,
    MAX_SIZE,
    NAME,
    Reading,
    granted,
    is_absent,
    load,
    load_over,
    named_environment,
    plain_environment,
    read,
    reading_environ,
    trusted_environment,
    write,
)
from prime_uve.errors import EnvFileError, UntrustedPathError
from tests.commands import Git, Run
from tests.privileges import unprivileged

ENVIRON = {"HOME": "/home/jane", "A": "from outside", "EMPTY": "", KEY: "/left/over"}
HIDDEN = "hunter2"


def give(folder: Path, committed: str | None = None, local: str | None = None) -> Path:
    """Write the env files of a project; return the project."""
    for name, content in ((NAME, committed), (LOCAL_NAME, local)):
        if content is not None:
            (folder / name).write_bytes(os.fsencode(content))
    return folder


def reading_of(folder: Path, environ: dict[str, str]) -> Reading:
    reading = load(str(folder), environ)
    assert reading is not None
    return reading


# Which value counts

PRECEDENCE = {
    "the committed file": ("B=1\n", None, {"B": "1"}),
    "the local file over the committed one": ("B=1\nC=1\n", "B=2\nD=2\n", {"B": "2", "C": "1", "D": "2"}),
    "an empty value of the local file": ("B=1\n", "B=\n", {"B": ""}),
    "the environment over both": ("A=1\nB=1\n", "A=2\n", {"B": "1"}),
    "an empty value of the environment over both": ("EMPTY=1\n", "EMPTY=2\n", {}),
    "the key over the environment": (f"{KEY}=/1\n", None, {KEY: "/1"}),
    "the key of the local file over all": (f"{KEY}=/1\n", f"{KEY}=/2\n", {KEY: "/2"}),
    "the first of two definitions": ("B=1\nB=2\n", "C=1\nC=2\n", {"B": "1", "C": "1"}),
    "a reference to the environment": ("B=${A}\n", None, {"B": "from outside"}),
    "a reference to the local file": ("B=${C}\nC=1\n", "C=2\n", {"B": "2", "C": "2"}),
    "a reference of the local file to the committed one": ("C=1\n", "B=[${C}]\n", {"B": "[]", "C": "1"}),
    "a reference to the key is not to what is left over": ("B=[${UV_PROJECT_ENVIRONMENT}]\n", None, {"B": "[]"}),
    "the key that refers to itself": (f"{KEY}=${{{KEY}}}/x\n", None, {KEY: "/x"}),
    "an empty local file": ("B=1\n", "", {"B": "1"}),
    "empty files": ("", "", {}),
}


@pytest.mark.parametrize(("committed", "local", "variables"), PRECEDENCE.values(), ids=PRECEDENCE)
def test_the_variables_are_those_that_count(
    committed: str, local: str | None, variables: dict[str, str], project: Path
) -> None:
    before = dict(ENVIRON)

    reading = reading_of(give(project, committed, local), ENVIRON)

    assert reading.variables == variables
    assert reading.environment == variables.get(KEY)
    assert before == ENVIRON


SOURCES = {
    "the committed file": (f"{KEY}=/1\n", None, NAME),
    "the committed file beside a local one": (f"{KEY}=/1\n", "B=1\n", NAME),
    "the local file": (f"{KEY}=/1\n", f"{KEY}=/2\n", LOCAL_NAME),
    "the local file alone": ("", f"{KEY}=/2\n", LOCAL_NAME),
    "the committed file, which should": ("B=1\n", "B=2\n", NAME),
}


@pytest.mark.parametrize(("committed", "local", "source"), SOURCES.values(), ids=SOURCES)
def test_the_file_that_names_the_environment_is_known(
    committed: str, local: str | None, source: str, project: Path
) -> None:
    reading = reading_of(give(project, committed, local), ENVIRON)

    assert reading.root == str(project)
    assert reading.source == str(project / source)
    assert reading.content == (project / source).read_bytes()
    assert reading.is_local == (source == LOCAL_NAME)


def test_a_project_without_a_committed_file_has_no_reading(project: Path) -> None:
    assert load(str(project), ENVIRON) is None
    assert load(str(project / "pyproject.toml"), ENVIRON) is None
    give(project, local=f"{KEY}=/2\n")
    assert load(str(project), ENVIRON) is None


def test_a_file_is_read_with_a_home_even_where_the_environment_has_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A", "1")
    assert reading_environ() == dict(os.environ)
    assert reading_environ()["HOME"] == str(home)
    monkeypatch.setenv("HOME", "")
    assert os.path.isabs(reading_environ()["HOME"])
    assert reading_environ()["A"] == "1"


def test_other_content_can_be_read_in_the_place_of_the_committed_file(project: Path) -> None:
    give(project, f"{KEY}=/1\nB=1\n", "B=2\n")
    assert load_over(str(project), f"{KEY}=/3\nC=3\n".encode(), ENVIRON).variables == {KEY: "/3", "B": "2", "C": "3"}


# What is no env file


OBSTACLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (Path.mkdir, "is not a file; move it away and write one: prime-uve init '/"),
    "a FIFO": (os.mkfifo, "is not a file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is not a file"),
    "a link that leads nowhere": (lambda path: path.symlink_to("nope"), "is a link that leads nowhere"),
    "a link through a file": (lambda path: path.symlink_to("pyproject.toml/x"), "is a link that leads nowhere"),
    "a link that leads in a circle": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    "a file that is too large": (lambda path: path.write_bytes(b"#" * (MAX_SIZE + 1)), "is larger than 1 MiB"),
}


@pytest.mark.parametrize(("place", "message"), OBSTACLES.values(), ids=OBSTACLES)
@pytest.mark.parametrize("name", [NAME, LOCAL_NAME])
def test_what_cannot_be_an_env_file_is_refused_by_its_path(
    place: Callable[[Path], object], message: str, name: str, project: Path
) -> None:
    if name == LOCAL_NAME:
        give(project, "B=1\n")
    place(project / name)

    with pytest.raises(EnvFileError, match=message) as caught:
        load(str(project), ENVIRON)

    assert repr(str(project / name)) in str(caught.value)
    assert (caught.value.line, caught.value.key) == (None, None)


def test_a_socket_is_no_env_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(NAME)
        with pytest.raises(EnvFileError, match=f"cannot read '{project}/{NAME}'"):
            load(str(project), ENVIRON)


def test_a_file_that_may_not_be_read_is_an_error(project: Path, run: Run) -> None:
    give(project, f"B={HIDDEN}\n")
    (project / NAME).chmod(0)
    ask = "from prime_uve.core.env_file import load; load('.', {})"

    done = run(*unprivileged(), sys.executable, "-c", ask, cwd=project)

    assert f"EnvFileError: cannot read './{NAME}': Permission denied; see its permissions: ls -l" in done.stderr


def test_the_largest_file_is_read(project: Path) -> None:
    content = b"B=1\n" + b"#" * (MAX_SIZE - 4)
    (project / NAME).write_bytes(content)
    assert read(str(project / NAME)) == content
    assert reading_of(project, ENVIRON).variables == {"B": "1"}


def test_a_link_of_the_user_is_followed(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("B=1\n")
    (project / NAME).symlink_to(tmp_path / "file")
    assert reading_of(project, ENVIRON).variables == {"B": "1"}


@pytest.mark.parametrize("name", [NAME, LOCAL_NAME])
def test_a_file_that_uv_would_half_read_is_refused_with_path_line_and_key(name: str, project: Path) -> None:
    half = f"A=1\n\nB={HIDDEN} {HIDDEN}\n"
    give(project, "A=1\n" if name == LOCAL_NAME else half, half if name == LOCAL_NAME else None)

    with pytest.raises(EnvFileError, match=r"line 3 \(B\)") as caught:
        load(str(project), ENVIRON)

    assert str(caught.value).startswith(repr(str(project / name)))
    assert (caught.value.line, caught.value.key) == (3, "B")
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize("name", ["two words", "it's", "a\nb", "caf\udce9", "日本", "$HOME"])
def test_a_path_may_hold_anything(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    project = give(tmp_path / name, f"{KEY}=/1\n")
    reading = reading_of(project, ENVIRON)
    assert (reading.environment, reading.source) == ("/1", str(project / NAME))

    give(project, "A=1 2\n")
    with pytest.raises(EnvFileError) as caught:
        load(str(project), ENVIRON)
    assert str(caught.value).startswith(repr(str(project / NAME)))
    str(caught.value).encode()


# Which environment may be named

NAMED = {
    "a path": ("/venvs/x", "/venvs/x"),
    "a path under the home": ("${HOME}/venvs/x", "/home/jane/venvs/x"),
    "dots in a name": ("/venvs/..x/y..z/...", "/venvs/..x/y..z/..."),
    "odd letters": ("'/venvs/a b$c\"é'", '/venvs/a b$c"é'),
}


@pytest.mark.parametrize(("value", "named"), NAMED.values(), ids=NAMED)
def test_an_environment_is_named(value: str, named: str, project: Path) -> None:
    assert named_environment(reading_of(give(project, f"{KEY}={value}\n"), ENVIRON)) == named


def test_files_may_name_none(project: Path) -> None:
    reading = reading_of(give(project, "B=1\n"), ENVIRON)
    assert named_environment(reading) is None
    assert trusted_environment(reading) is None


UNUSABLE = {
    "empty": ("", "is empty"),
    "a variable that is not set": ("${NOPE}", "is empty"),
    "relative": (".venv", "is not absolute"),
    "the working directory": (".", "is not absolute"),
    "a tilde": ("~/venvs/x", "is not absolute"),
    "a home that is quoted": ("'${HOME}/venvs/x'", "is not absolute"),
    "up from a base": ("${HOME}/prime-uve/venvs/../../x", "goes through '..'"),
    "up at the end": ("/venvs/x/..", "goes through '..'"),
    "up with backslashes": ("'/venvs\\..\\x'", "goes through '..'"),
    "up and relative": ("../x", "goes through '..'"),
}


@pytest.mark.parametrize(("value", "fault"), UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("name", [NAME, LOCAL_NAME])
def test_a_value_that_is_no_safe_path_is_refused(value: str, fault: str, name: str, project: Path) -> None:
    line = f"{KEY}={value}\n"
    give(project, line if name == NAME else "", line if name == LOCAL_NAME else None)
    reading = reading_of(project, ENVIRON)

    for look in (named_environment, trusted_environment):
        with pytest.raises(EnvFileError, match=re.escape(f"{KEY} {fault}")) as caught:
            look(reading)
        assert not isinstance(caught.value, UntrustedPathError)
        assert str(caught.value).startswith(repr(str(project / name)))
        assert caught.value.key == KEY


class Place:
    """Folders: two bases, the project in a folder of its own, and links from one to the other."""

    def __init__(self, top: Path) -> None:
        for folder in ("base/x", "base-2/x", "second", "around/project/src", "elsewhere"):
            (top / folder).mkdir(parents=True)
        links = {
            "base/out": "../elsewhere",
            "base/in": "x",
            "base/project": "../around/project",
            "into": "base",
            "link": "around/project",
        }
        for name, target in links.items():
            (top / name).symlink_to(target)
        self.top = top
        self.project = top / "around/project"

    def reading(self, name: str, value: str) -> Reading:
        line = f"{KEY}={value.replace('@', str(self.top))}\n"
        give(self.project, line if name == NAME else "", line if name == LOCAL_NAME else None)
        return reading_of(self.project, dict(os.environ))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("PRIME_UVE_VENVS", f"{tmp_path}/base:{tmp_path}/second")
    return Place(tmp_path)


# The committed file, the local file: may they name it?
TRUST = {
    "a folder in a base": ("@/base/x", True, True),
    "a folder in a base that does not exist": ("@/base/new", True, True),
    "a folder deep in a base": ("@/base/a/b", True, True),
    "a folder in the second base": ("@/second/new", True, True),
    "a folder in a base, with slashes": ("@//base///new/", True, True),
    "a folder in a base through a link to the base": ("@/into/new", True, True),
    "a link that stays in the base": ("@/base/in", True, True),
    "a base itself": ("@/base", False, False),
    "a base itself with a dot": ("@/base/.", False, False),
    "a folder whose name begins like a base": ("@/base-2/x", False, True),
    "a link in a base that leads out": ("@/base/out", False, True),
    "a folder behind a link that leads out": ("@/base/out/new", False, True),
    "a folder elsewhere": ("@/elsewhere/new", False, True),
    "a list of bases": ("@/base:@/second/new", False, True),
    "the project": ("@/around/project", False, False),
    "a folder in the project": ("@/around/project/.venv", False, False),
    "a folder around the project": ("@/around", False, False),
    "the root": ("/", False, False),
    "the project through a link": ("@/link", False, False),
    "a folder in the project through a link": ("@/link/.venv", False, False),
    "the project through a link in a base": ("@/base/project", False, False),
    "a folder in the project through a link in a base": ("@/base/project/.venv", False, False),
    "a folder whose name begins like the project": ("@/around/project-2", False, True),
}


@pytest.mark.parametrize(("value", "in_shared", "in_local"), TRUST.values(), ids=TRUST)
@pytest.mark.parametrize("name", [NAME, LOCAL_NAME])
def test_a_path_is_trusted_or_refused_with_a_way_to_allow_it(
    value: str, name: str, place: Place, *, in_shared: bool, in_local: bool
) -> None:
    reading = place.reading(name, value)
    if in_shared if name == NAME else in_local:
        named = value.replace("@", str(place.top))
        assert trusted_environment(reading) == (os.path.realpath(named) if in_shared else named), (
            "one place, one spelling"
        )
        return
    with pytest.raises(UntrustedPathError) as caught:
        trusted_environment(reading)
    said = str(caught.value)
    assert said.startswith(repr(str(place.project / name)))
    assert repr(value.replace("@", str(place.top))) in said
    assert "prime-uve init" in said
    assert caught.value.key == KEY
    if in_local:
        assert LOCAL_NAME in said
        assert "PRIME_UVE_VENVS" in said


def test_a_project_that_is_read_through_a_link_is_the_same_project(place: Place) -> None:
    place.reading(LOCAL_NAME, "@/around/project")
    reading = reading_of(place.top / "link", dict(os.environ))
    with pytest.raises(UntrustedPathError, match="inside its own project"):
        trusted_environment(reading)


def test_bases_may_be_links(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIME_UVE_VENVS", f"{place.top}/into")
    for value in ("@/into/new", "@/base/new"):
        assert trusted_environment(place.reading(NAME, value)) == f"{place.top}/into/new", "one place, one spelling"


def test_a_place_in_another_environment_is_refused(place: Place) -> None:
    (place.top / "base/theirs/lib").mkdir(parents=True)
    (place.top / "base/theirs/pyvenv.cfg").touch()
    for name in (LOCAL_NAME, NAME):
        with pytest.raises(UntrustedPathError, match="inside another environment"):
            trusted_environment(place.reading(name, "@/base/theirs/lib/mine"))
        (place.project / name).unlink()
    assert trusted_environment(place.reading(NAME, "@/base/theirs"))


@pytest.mark.parametrize("name", [NAME, LOCAL_NAME])
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        pytest.param("@/base/.trash/" + "0" * 32, "which prime-uve prune empties", id="in the trash"),
        pytest.param("@/base/.trash", "which prime-uve prune empties", id="the trash"),
        pytest.param("@/into/.Trash/mine", "which prime-uve prune empties", id="the trash in another spelling"),
        pytest.param("@/base/inner", "which holds other environments", id="a base in the base"),
        pytest.param("@/base/linked", "which holds other environments", id="a base in the base, through a link"),
    ],
)
def test_a_place_in_a_base_that_has_another_use_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, value: str, fault: str
) -> None:
    (place.top / "base/linked").symlink_to("inner")
    monkeypatch.setenv("PRIME_UVE_VENVS", f"{place.top}/base:{place.top}/base/inner")
    with pytest.raises(UntrustedPathError, match=fault):
        trusted_environment(place.reading(name, value))
    assert trusted_environment(place.reading(name, "@/base/inner/x")) == f"{place.top}/base/inner/x"


def test_a_local_file_that_came_with_the_repository_is_trusted_no_more_than_the_committed_one(
    place: Place, git: Git
) -> None:
    reading = place.reading(LOCAL_NAME, "@/elsewhere/new")
    git(place.project, "init", "--quiet")
    assert trusted_environment(reading) == f"{place.top}/elsewhere/new"
    git(place.project, "add", "--force", LOCAL_NAME)
    with pytest.raises(UntrustedPathError, match="is not inside"):
        trusted_environment(reading)


def test_what_follows_a_quote_that_is_not_closed_is_never_shown(project: Path) -> None:
    content = f'{KEY}="${{HOME}}/prime-uve/venvs/x_1\nDB_PASSWORD="hunter2\n'
    reading = reading_of(give(project, content), dict(os.environ))
    with pytest.raises(EnvFileError, match="is a quote not closed") as caught:
        named_environment(reading)
    assert "hunter2" not in str(caught.value)


def test_a_link_out_of_the_project_is_not_written_through(project: Path, tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("export A=b\n")
    (project / NAME).symlink_to("../profile")
    with pytest.raises(EnvFileError, match="is a link out of the project"):
        write(str(project / NAME), b"A=1\n")
    assert (tmp_path / "profile").read_text() == "export A=b\n"


@pytest.mark.parametrize("variable", ["PRIME_UVE_VENVS", "HOME"])
def test_a_committed_file_cannot_move_the_bases(
    variable: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PRIME_UVE_VENVS", raising=False)
    content = f"{variable}={tmp_path}/evil\n{KEY}=${{{variable}}}/prime-uve/venvs/x\n"
    environ = {name: value for name, value in os.environ.items() if name != variable}

    reading = reading_of(give(project, content), environ)

    assert reading.environment == f"{tmp_path}/evil/prime-uve/venvs/x"
    with pytest.raises(UntrustedPathError, match="which is not inside"):
        trusted_environment(reading)


def test_all_bases_are_named_where_a_path_is_in_none(place: Place) -> None:
    with pytest.raises(UntrustedPathError) as caught:
        trusted_environment(place.reading(NAME, "/elsewhere/x"))
    assert f"not inside '{place.top}/base' or '{place.top}/second';" in str(caught.value)


# Writing


def test_a_file_is_written_where_there_was_none(project: Path) -> None:
    usual = project / "usual"
    usual.touch()

    write(str(project / NAME), b"A=1\r\n\xff")

    assert (project / NAME).read_bytes() == b"A=1\r\n\xff"
    assert (project / NAME).stat().st_mode == usual.stat().st_mode
    assert {path.name for path in project.iterdir()} == {NAME, "usual", "pyproject.toml"}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666, 0o755], ids=oct)
def test_a_file_is_replaced_and_keeps_its_permissions(mode: int, project: Path) -> None:
    path = give(project, "A=old\n") / NAME
    path.chmod(mode)
    old = project / "the old file"
    old.hardlink_to(path)

    write(str(path), b"A=new\n")

    assert path.read_bytes() == b"A=new\n"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert old.read_bytes() == b"A=old\n", "it was changed in place: a reader can see half of it"
    assert {entry.name for entry in project.iterdir()} == {NAME, old.name, "pyproject.toml"}


def test_nobody_else_can_read_a_private_file_while_it_is_written(project: Path, run: Run) -> None:
    (give(project, "A=old\n") / NAME).chmod(0o600)
    script = f"""
        import os, sys
        from prime_uve.core.env_file import write
        def look(event, args):
            if event in ("os.chmod", "os.rename") and "{NAME}" in os.fsdecode(args[0]):
                print(event, oct(os.stat(args[0]).st_mode & 0o777))
        sys.addaudithook(look)
        os.umask(0)
        write("{NAME}", b"A=new")
    """

    done = run(sys.executable, "-c", dedent(script), cwd=project)

    assert done.stdout.splitlines() == ["os.chmod 0o600", "os.rename 0o600"], done.stderr


def test_a_link_in_the_project_stays_and_its_target_is_written(project: Path) -> None:
    (project / "settings").mkdir()
    target = project / "settings/env"
    (project / NAME).symlink_to("settings/env")

    for content in (b"A=1\n", b"A=2\n"):
        write(str(project / NAME), content)
        assert os.readlink(project / NAME) == "settings/env"
        assert target.read_bytes() == content
    assert [path.name for path in (project / "settings").iterdir()] == ["env"]


UNWRITABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder in its place": (Path.mkdir, "Is a directory"),
    "no folder for it": (lambda path: path.parent.rename(path.parent.parent / "moved"), "No such file or directory"),
    "a link to where no folder is": (lambda path: path.symlink_to("nope/nope"), "No such file or directory"),
    "a link through a file": (lambda path: path.symlink_to("pyproject.toml/x"), "Not a directory"),
}


@pytest.mark.parametrize(("prepare", "reason"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_cannot_be_written_is_an_error_that_leaves_no_litter(
    prepare: Callable[[Path], object], reason: str, project: Path
) -> None:
    path = project / NAME
    prepare(path)
    before = sorted(project.rglob("*"))

    with pytest.raises(EnvFileError, match=reason) as caught:
        write(str(path), b"A=1\n")

    assert str(caught.value).startswith(f"cannot write {str(path)!r}: ")
    assert sorted(project.rglob("*")) == before


FAULTS = {
    "there is no room": ("resource.setrlimit(resource.RLIMIT_FSIZE, (10, most))", "File too large"),
    "the folder is read-only": ("os.chmod('.', 0o555)", "Permission denied"),
}


@pytest.mark.parametrize(("fault", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_write_that_fails_keeps_the_old_file_and_leaves_no_litter(
    fault: str, reason: str, project: Path, run: Run
) -> None:
    give(project, f"A={HIDDEN}\n")
    script = f"""
        import os, resource, signal
        from prime_uve.core.env_file import write
        from prime_uve.errors import EnvFileError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        {fault}
        try:
            write("{NAME}", b"A=" + b"1" * 100)
        except EnvFileError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    """
    try:
        done = run(*unprivileged(), sys.executable, "-c", dedent(script), cwd=project)
    finally:
        project.chmod(0o755)

    assert done.stdout.startswith(f"cannot write '{NAME}': {reason}"), done.stderr
    assert (project / NAME).read_text() == f"A={HIDDEN}\n"
    assert {path.name for path in project.iterdir()} == {NAME, "pyproject.toml"}


def test_a_file_grants_uv_every_variable_but_those_that_we_read(tmp_path: Path) -> None:
    content = b"A=1\nPRIME_UVE_VENVS=/\nPRIME_UVE_CACHE=/x\nPRIME_UVER=2\nUV_PROJECT=/p\nUV_WORKING_DIR=/p\n"
    reading = Reading(str(tmp_path), shared=content, local=None, environ={})
    assert granted(reading) == {"A": "1", "PRIME_UVER": "2"}


# The quick look

PIECES = ("${HOME}", "${PRIME_UVE_VENVS}", "$HOME", "/", "x", ".", "..", "~", "=", "\n", "#", "'", '"', " ", "\\", "é")
LINES = (f"{KEY}=", "A=", f"\n{KEY}=", "PRIME_UVE_VENVS=/y\n", "\r\n", "export ")
HOMES = ("/home/jane", "/", "", "home", "/$HOME", "/${PRIME_UVE_VENVS}", "/a b", "/a\n", "/\udcff")


@given(
    st.lists(st.sampled_from(LINES + PIECES)).map("".join),
    st.sampled_from(HOMES),
    st.sampled_from([None, "", "/srv/venvs", "venvs", "${HOME}/venvs"]),
)
@example(f"{KEY}=${{HOME}}/x", "/${PRIME_UVE_VENVS}", "/y")
@example(f"{KEY}=${{HOME}}/x\n", "/home/jane", None)
def test_what_is_plain_to_a_quick_look_is_so_to_a_whole_reading(content: str, home: str, base: str | None) -> None:
    environ = {"HOME": home} | ({"PRIME_UVE_VENVS": base} if base is not None else {})
    shared = content.encode()
    named = plain_environment(shared, environ)
    if named is not None:
        reading = Reading("/project", shared=shared, local=None, environ=environ)
        assert named == named_environment(reading)


def test_what_init_writes_is_plain() -> None:
    content = f"{KEY}=${{HOME}}/prime-uve/venvs/demo_0a1b2c3d\n".encode()
    assert plain_environment(content, ENVIRON) == "/home/jane/prime-uve/venvs/demo_0a1b2c3d"


def test_only_what_is_not_there_is_absent(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert is_absent(str(tmp_path / "nothing"))
    assert not is_absent(str(tmp_path))
    assert not is_absent(str(tmp_path / "link"))
    assert not is_absent(str(tmp_path / ("x" * 5000))), "nobody can tell"
    assert not is_absent("\0")
