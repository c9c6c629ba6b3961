"""Places, homes, clocks and paths that make no sense: a sentence that says so, and nothing made elsewhere."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.errors import CacheError
from tests.core import writers

ASK = """
import sys
from pathlib import Path
from prime_uve.core.cache import Cache
from prime_uve.errors import CacheError
ACTS = {
    "list_all": lambda: Cache().list_all(),
    "add_mapping": lambda: Cache(lock_timeout=1).add_mapping(Path("/p/one"), "/v/one", "one", "01234567"),
    "validate_all": lambda: Cache(lock_timeout=1).validate_all(),
    "clear": lambda: Cache(lock_timeout=1).clear(),
}
for name in sys.argv[1:]:
    try:
        print(name, ACTS[name]())
    except CacheError as error:
        print(name, "CacheError", error)
"""
ALL = ("list_all", "add_mapping", "validate_all", "clear")


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that asks the default registry in a new process, with some variables set or taken away."""
    here = tmp_path / "here"
    here.mkdir()

    def ask(*acts: str, prefix: tuple[str, ...] = (), **variables: str | None) -> list[str]:
        environment = {**os.environ, **writers.ENVIRONMENT, **variables}
        done = subprocess.run(
            [*prefix, sys.executable, "-c", ASK, *acts],
            cwd=here,
            env={name: value for name, value in environment.items() if value is not None},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert not list(here.iterdir())
        return done.stdout.splitlines()

    return ask


def a_folder(place: Path) -> None:
    place.mkdir()


def a_fifo(place: Path) -> None:
    os.mkfifo(place)


def a_socket(place: Path) -> None:
    before = Path.cwd()
    os.chdir(place.parent)  # the name of a socket has to be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(place.name)
    os.chdir(before)


def below_a_file(place: Path) -> None:
    place.parent.rmdir()
    place.parent.touch()


def a_link_to_nowhere(place: Path) -> None:
    place.symlink_to("nowhere")


def a_link_to_itself(place: Path) -> None:
    place.symlink_to(place.name)


def a_link_to_a_device(place: Path) -> None:
    place.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "make",
    [a_folder, a_fifo, a_socket, below_a_file, a_link_to_nowhere, a_link_to_itself, a_link_to_a_device],
    ids=lambda make: make.__name__.replace("_", " "),
)
def test_a_registry_that_is_no_file_is_refused_at_once(
    ask: Callable[..., list[str]], tmp_path: Path, make: Callable[[Path], None]
) -> None:
    place = tmp_path / "place" / "cache.json"
    place.parent.mkdir()
    make(place)
    for line, act in zip(ask(*ALL, PRIME_UVE_CACHE=str(place)), ALL, strict=True):
        assert line.startswith(f"{act} CacheError "), line
        assert str(place.parent) in line or "/dev/zero" in line


@pytest.mark.parametrize("place", ["/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", "/"])
def test_a_registry_in_a_place_of_the_system_is_refused(ask: Callable[..., list[str]], place: str) -> None:
    before = os.stat("/dev/null")
    (line,) = ask("add_mapping", PRIME_UVE_CACHE=place)
    assert line.startswith("add_mapping CacheError "), line
    assert place in line
    assert os.stat("/dev/null").st_rdev == before.st_rdev


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="there is no /proc")
def test_a_lock_that_cannot_be_made_is_not_taken_for_one_that_is_held(ask: Callable[..., list[str]]) -> None:
    (line,) = ask("add_mapping", PRIME_UVE_CACHE="/proc/cache.json")
    assert line.startswith("add_mapping CacheError could not lock /proc/cache.lock: it cannot be made")


@pytest.mark.parametrize("place", ["cache.json", "./cache.json", "~/cache.json", "$HOME/cache.json", " "])
def test_a_registry_at_a_relative_path_is_refused(ask: Callable[..., list[str]], place: str) -> None:
    for line in ask(*ALL, PRIME_UVE_CACHE=place):
        assert f"CacheError PRIME_UVE_CACHE is {place!r}, which is not an absolute path" in line


@pytest.mark.parametrize(
    ("name", "reason"), [("x" * 300, "File name too long"), ("x/" * 2500 + "x", "File name too long")]
)
def test_a_registry_whose_name_is_too_long_is_refused(
    ask: Callable[..., list[str]], tmp_path: Path, name: str, reason: str
) -> None:
    for line in ask(*ALL, PRIME_UVE_CACHE=f"{tmp_path}/{name}"):
        assert "CacheError could not " in line
        assert line.endswith(reason)


def without_privileges() -> tuple[str, ...]:
    """Return what a command has to be preceded by, so that modes apply to it."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("modes mean nothing to root, and there is no setpriv")
    return (setpriv, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")


@pytest.mark.parametrize("mode", [0o000, 0o500, 0o555], ids=oct)
def test_a_place_that_may_not_be_written_is_refused(ask: Callable[..., list[str]], tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "place"
    folder.mkdir(mode=mode)
    folder.chmod(mode)
    try:
        lines = ask(*ALL, prefix=without_privileges(), PRIME_UVE_CACHE=f"{folder}/cache.json")
    finally:
        folder.chmod(0o700)
    for line in lines:
        act = line.split()[0]
        if mode and act in {"list_all", "validate_all"}:
            assert line == f"{act} {{}}"
        else:
            assert "CacheError could not " in line
            assert line.endswith("Permission denied")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("mode", [0o000, 0o200], ids=oct)
def test_a_registry_that_may_not_be_read_is_not_an_empty_one(
    ask: Callable[..., list[str]], tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "cache.json"
    Cache(path).add_mapping(tmp_path, "/v/x", "x", "01234567")
    before = path.read_bytes()
    path.chmod(mode)
    lines = ask(*ALL, prefix=without_privileges(), PRIME_UVE_CACHE=str(path))
    assert [line.partition("CacheError ")[2] for line in lines] == [f"could not read {path}: Permission denied"] * 4
    path.chmod(0o600)
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", [None, "", "relative", "."], ids=repr)
def test_without_a_usable_home_the_account_names_it(ask: Callable[..., list[str]], value: str | None) -> None:
    script = "import pwd, os; print(pwd.getpwuid(os.getuid()).pw_dir)"
    home = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    # Only asked where it would be: what the account's registry holds is nobody's business here.
    script = "from prime_uve.core.cache import Cache; print(Cache().path)"
    environment = {**os.environ, **writers.ENVIRONMENT, "HOME": value}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={name: text for name, text in environment.items() if text is not None},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"{home}/.prime-uve/cache.json"
    assert ask() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be a user that has no account")
@pytest.mark.parametrize("value", [None, "", "relative"], ids=repr)
def test_without_a_home_and_an_account_it_says_what_to_set(ask: Callable[..., list[str]], value: str | None) -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("there is no setpriv")
    readable = subprocess.run(
        [setpriv, "--reuid=54321", "--clear-groups", sys.executable, "-c", "import prime_uve.core.cache"],
        env=os.environ | writers.ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    if readable.returncode:
        pytest.skip("another user cannot read this Python, or the package")
    for line in ask(*ALL, prefix=(setpriv, "--reuid=54321", "--clear-groups"), HOME=value):
        assert "CacheError there is no home directory: HOME is not set to an absolute path; set it" in line


def test_a_home_that_is_a_file_is_refused(ask: Callable[..., list[str]], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.touch()
    for line in ask(*ALL, HOME=str(home)):
        assert "CacheError could not " in line
        assert str(home) in line
        assert line.endswith("Not a directory")


def test_a_home_that_is_not_there_is_made_by_a_write_only(ask: Callable[..., list[str]], tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert ask("list_all", "validate_all", HOME=str(home)) == ["list_all {}", "validate_all {}"]
    assert not home.exists()
    assert ask("add_mapping", HOME=str(home)) == ["add_mapping None"]
    assert home.stat().st_mode & 0o777 == 0o700


CLOCK = """
import calendar, sys
from pathlib import Path
from prime_uve.core import timestamp
from prime_uve.core.cache import Cache

timestamp.time = lambda: calendar.timegm((int(sys.argv[2]), 1, 1, 0, 0, 0))
cache = Cache(Path(sys.argv[1]))
project = cache.path.parent / "one"
cache.add_mapping(project, "/v/one", "one", "01234567")
assert cache.get_mapping(project)["last_validated"].startswith(f"{int(sys.argv[2]):04}-01-01")
assert cache.validate_all()[str(project)].status == "orphaned"
cache.path.write_bytes(b"{" + sys.argv[2].encode())
cache.add_mapping(project, "/v/one", "one", "01234567")
"""


@pytest.mark.parametrize("years", [(2030, 1970, 2001), (9999, 1900, 2038)], ids=str)
def test_a_clock_that_runs_backwards_harms_nothing(tmp_path: Path, years: tuple[int, ...]) -> None:
    path = tmp_path / "cache.json"
    created = None
    for year in years:
        done = subprocess.run(
            [sys.executable, "-c", CLOCK, str(path), str(year)],
            env=os.environ | writers.ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        row = Cache(path).get_mapping(tmp_path / "one")
        assert row is not None
        created = created or row["created_at"]
        assert row["created_at"] == created
    cache = Cache(path)
    assert sorted(copy.read_bytes() for copy in cache.damaged_copies()) == sorted(b"{%d" % year for year in years)
    assert datetime.now(UTC).year != years[-1]
    cache.validate_all()


@pytest.mark.parametrize("project", ["", ".", "one", "./one", "../one", "~/one"])
@pytest.mark.parametrize("method", ["add_mapping", "get_mapping", "remove_mapping", "validate_mapping"])
def test_a_relative_project_is_a_mistake_of_the_program(tmp_path: Path, project: str, method: str) -> None:
    arguments = ("/v/one", "one", "01234567") if method == "add_mapping" else ()
    with pytest.raises(ValueError, match=r"the project path must be absolute, not "):
        getattr(Cache(tmp_path / "cache.json"), method)(Path(project), *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", ["add_mapping", "get_mapping", "remove_mapping", "validate_mapping"])
def test_a_project_with_a_nul_is_a_mistake_of_the_program(tmp_path: Path, method: str) -> None:
    arguments = ("/v/one", "one", "01234567") if method == "add_mapping" else ()
    with pytest.raises(ValueError, match="null"):
        getattr(Cache(tmp_path / "cache.json"), method)(Path("/p/\0"), *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [4096, 5000], ids=str)
@pytest.mark.parametrize("method", ["add_mapping", "get_mapping", "remove_mapping", "validate_mapping"])
def test_a_project_path_that_no_system_takes_is_refused(tmp_path: Path, method: str, length: int) -> None:
    project = Path(("/" + "x" * 99) * (length // 100) + "/" + "y" * (length % 100 - 1))
    assert len(str(project)) >= length - 1
    arguments = ("/v/one", "one", "01234567") if method == "add_mapping" else ()
    with pytest.raises(CacheError, match=r"cannot resolve '.*': File name too long"):
        getattr(Cache(tmp_path / "cache.json"), method)(project, *arguments)
    assert not list(tmp_path.iterdir())


def test_a_project_path_as_long_as_may_be_survives(tmp_path: Path) -> None:
    project = Path(str(tmp_path) + "/" + "/".join(["x" * 99] * 41))
    project = Path(str(project)[:4095])
    cache = Cache(tmp_path / "cache.json")
    cache.add_mapping(project, "/v/one", "one", "01234567")
    assert cache.list_all().keys() == {str(project)}
    assert cache.validate_mapping(project).status in {"orphaned", "error"}
    assert cache.remove_mapping(project)


@pytest.mark.parametrize("name", [b"\xff", b"\xe9t\xe9", b"a\nb", b'"', b"\\", b"\x7f\x01", "\u202e".encode()])
def test_a_project_of_any_bytes_survives(tmp_path: Path, name: bytes) -> None:
    project = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    project.mkdir()
    cache = Cache(tmp_path / "cache.json")
    cache.add_mapping(project, "/v/one", "one", "01234567")
    assert cache.list_all().keys() == {str(project)}
    assert cache.validate_mapping(project).issues
    assert cache.remove_mapping(project)


@pytest.mark.parametrize("venv_path", ["", "relative", "./x", "~/x", "$NOT_SET/x", "${HOME", "/v/\0", "${HOME}/\0"])
def test_an_environment_that_is_no_path_is_a_mistake_of_the_program(tmp_path: Path, venv_path: str) -> None:
    with pytest.raises(ValueError, match="the path of an environment must be absolute"):
        Cache(tmp_path / "cache.json").add_mapping(tmp_path, venv_path, "one", "01234567")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a\nb", "a\r\n", '"', "\\", "é", "\udcff", "😀", "$", "${", "x" * 5000])
def test_an_environment_of_any_legal_name_survives(tmp_path: Path, name: str) -> None:
    cache = Cache(tmp_path / "cache.json")
    cache.add_mapping(tmp_path, f"/v/{name}", "one", "01234567")
    cache.add_mapping(tmp_path / "other", "/v/other", "one", "01234567")
    row = cache.get_mapping(tmp_path)
    assert row is not None
    assert row["venv_path"] == row["venv_path_expanded"] == f"/v/{name}"
    result = cache.validate_mapping(tmp_path)
    assert result.issues
    assert not any("\n" in issue for issue in result.issues)


def test_an_unusable_timeout_or_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="same name"):
        Cache(tmp_path / "cache.lock")
    with pytest.raises(CacheError, match="is a folder"):
        Cache(Path("/"))
