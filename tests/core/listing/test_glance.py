"""What a glance knows to be valid is valid, and of everything else it says nothing."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve.core.listing.glance import Base, Glance, glance
from prime_uve.core.paths import bases, expand
from prime_uve.core.repository import Repositories
from prime_uve.core.validation import judge, observe
from tests.core import checkouts
from tests.core.checkouts import ENVIRONMENT

CONFIGURATION = "home = /usr/bin\nuv = 0.13.9\nversion_info = 3.12.3\n"


@pytest.fixture
def environment() -> Path:
    path = checkouts.make_environment()
    (path / "pyvenv.cfg").write_text(CONFIGURATION)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return checkouts.make(tmp_path / "demo")


def seen(checkout: Path, venv_path: str = ENVIRONMENT) -> Glance | None:
    (base,) = bases()
    names = [entry.name for entry in os.scandir(base) if entry.is_dir(follow_symlinks=False)]
    place = Base(base, names).place(venv_path)
    return glance(str(checkout), venv_path, place, Repositories()) if place else None


def test_a_plain_checkout_is_seen(checkout: Path, environment: Path) -> None:
    (environment / ".prime-uve.json").touch()
    os.utime(environment / ".prime-uve.json", (0, 86_400))
    (checkout / ".git").mkdir()
    assert seen(checkout) == Glance(str(environment), "3.12.3", 86_400.0, f"{checkout}/.git")


def test_what_is_not_known_is_left_out(checkout: Path, environment: Path) -> None:
    (environment / "pyvenv.cfg").unlink()
    assert seen(checkout) == Glance(str(environment), None, None, None)


def test_other_variables_and_comments_are_passed_over(checkout: Path, environment: Path) -> None:
    append(checkout, "# a comment, it's one\n\nTOKEN=hunter2\n")
    assert seen(checkout) == Glance(str(environment), "3.12.3", None, None)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda c, _e: (c / ".env.uve").unlink(), id="no env file"),
        pytest.param(lambda c, _e: (c / ".env.uve").write_text(""), id="empty"),
        pytest.param(lambda c, _e: (c / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=/elsewhere\n"), id="another"),
        pytest.param(lambda c, _e: append(c, "UV_PROJECT_ENVIRONMENT=/elsewhere\n"), id="another comes after"),
        pytest.param(lambda c, _e: append(c, "A='\n"), id="a quote that is not closed"),
        pytest.param(lambda c, _e: append(c, "# \r"), id="what ends a line for some"),
        pytest.param(lambda c, _e: append(c, "HOME=/elsewhere\n"), id="another home"),
        pytest.param(lambda c, _e: append(c, "#" * 5000), id="more than is read"),
        pytest.param(lambda c, _e: (c / ".env.uve.local").write_text(""), id="a local file"),
        pytest.param(lambda c, _e: (c / ".env.uve.local").symlink_to("nowhere"), id="a local link"),
        pytest.param(lambda c, _e: replace(c / ".env.uve", os.mkfifo), id="a pipe"),
        pytest.param(lambda c, _e: replace(c / ".env.uve", os.mkdir), id="a folder"),
        pytest.param(lambda _c, e: remove(e), id="no environment"),
        pytest.param(lambda _c, e: replace(e, lambda it: it.symlink_to(it.parent)), id="a link in its place"),
        pytest.param(lambda _c, e: replace(e, Path.touch), id="a file in its place"),
    ],
)
def test_where_there_is_more_to_tell_nothing_is_said(
    checkout: Path, environment: Path, spoil: Callable[[Path, Path], object]
) -> None:
    assert seen(checkout) is not None
    spoil(checkout, environment)
    assert seen(checkout) is None


def append(checkout: Path, text: str) -> None:
    with (checkout / ".env.uve").open("a") as stream:
        stream.write(text)


def replace(path: Path, make: Callable[[Path], None]) -> None:
    if path.is_dir():
        remove(path)
    else:
        path.unlink()
    make(path)


def remove(environment: Path) -> None:
    (environment / "pyvenv.cfg").unlink()
    environment.rmdir()


@pytest.mark.parametrize(
    "venv_path",
    [
        *("${HOME}/prime-uve/venvs/plain_1", "$HOME/prime-uve/venvs/plain_1", "{home}/prime-uve/venvs/plain_1"),
        *("${HOME}/prime-uve/venvs/two words", "${HOME}/prime-uve/venvs/it's", '${HOME}/prime-uve/venvs/"', "/v"),
        *("${HOME}/prime-uve/venvs/a#b", "${HOME}/prime-uve/venvs/a #b", "${HOME}/prime-uve/venvs/$a", "", "."),
        *("${HOME}/prime-uve/venvs/größe", "${HOME}/prime-uve/venvs/a\\b", "${HOME}/prime-uve/venvs/..", "${HOME}"),
        *("${HOME}/prime-uve/venvs/a/b", "${HOME}/prime-uve/venvs/plain_1/", "${HOME}/prime-uve/venvs/~"),
    ],
)
def test_what_is_seen_is_what_the_validation_finds(tmp_path: Path, home: Path, venv_path: str) -> None:
    venv_path = venv_path.replace("{home}", str(home))
    (home / "prime-uve/venvs").mkdir(parents=True)
    for place in (home / "prime-uve/venvs/plain_1", Path(expand(venv_path))):
        place.mkdir(parents=True, exist_ok=True)
    checkout = checkouts.make(tmp_path / "demo", venv_path)
    if seen(checkout, venv_path) is not None:
        assert judge(observe(str(checkout), {"venv_path": venv_path})).is_valid


@pytest.mark.parametrize(
    ("base", "is_used"),
    [
        pytest.param("/plain/base", True, id="plain"),
        pytest.param("/plain/base/", True, id="a slash at the end"),
        pytest.param("/a b", False, id="a blank"),
        pytest.param("/a$b", False, id="a dollar"),
        pytest.param("/a/../b", False, id="dots"),
        pytest.param("/größe", False, id="letters that are not ASCII"),
    ],
)
def test_a_base_that_has_to_be_quoted_is_left_to_the_validation(base: str, *, is_used: bool) -> None:
    place = Base(base, ["demo"]).place(f"{base.rstrip('/')}/demo")
    assert place == (f"{base.rstrip('/')}/demo" if is_used else None)


@pytest.mark.parametrize(
    ("configuration", "python"),
    [
        pytest.param("version = 3.11.7\n", "3.11.7", id="of the standard library"),
        pytest.param("version_info=3.13.0rc1\r\n", "3.13.0rc1", id="of uv on Windows"),
        pytest.param("home = version = 1\n", None, id="in another line"),
        pytest.param("version = \n", None, id="empty"),
        pytest.param("version = 3\x1b[1m\n", None, id="what a terminal obeys"),
    ],
)
def test_the_python_is_what_the_configuration_says(
    checkout: Path, environment: Path, configuration: str, python: str | None
) -> None:
    (environment / "pyvenv.cfg").write_text(configuration)
    found = seen(checkout)
    assert found is not None
    assert found.python == python
