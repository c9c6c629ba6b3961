"""Keeping an environment, in a real registry."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve.core.cache import Cache
from prime_uve.core.keeping import Keeping, keep, unkeep
from prime_uve.core.paths import expand
from prime_uve.core.registration import register
from prime_uve.errors import CacheError, ProjectError
from tests.core import checkouts
from tests.core.checkouts import ENVIRONMENT, add

Change = Callable[[Cache, str], Keeping]
OTHER = "${HOME}/prime-uve/venvs/other_0a1b2c3d"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "registry" / "cache.json")


@pytest.fixture
def checkout(cache: Cache, tmp_path: Path) -> Path:
    path = checkouts.make(tmp_path / "demo")
    (path / "pyproject.toml").touch()
    add(cache, path)
    return path


def kept(cache: Cache, checkout: Path) -> object:
    return (cache.get_mapping(checkout) or {}).get("kept")


def test_a_kept_environment_has_a_reason_and_a_date(cache: Cache, checkout: Path) -> None:
    done = keep(cache, str(checkout), "thesis")
    assert done == Keeping([str(checkout)], ENVIRONMENT, "thesis", done.since, is_changed=True)
    assert kept(cache, checkout) == {"reason": "thesis", "since": done.since}


def test_keeping_twice_changes_nothing(cache: Cache, checkout: Path) -> None:
    keep(cache, str(checkout), "thesis")

    def age(rows: dict[str, dict[str, object]]) -> None:
        rows[str(checkout)]["kept"] = {"reason": "thesis", "since": "2020-02-02T02:02:02Z"}

    cache.edit(age)
    before = cache.path.read_bytes()
    for reason in ("thesis", None):
        done = keep(cache, str(checkout), reason)
        assert (done.reason, done.since, done.is_changed) == ("thesis", "2020-02-02T02:02:02Z", False)
    assert cache.path.read_bytes() == before
    again = keep(cache, str(checkout), "still the thesis")
    assert (again.reason, again.since, again.is_changed) == ("still the thesis", "2020-02-02T02:02:02Z", True)


def test_what_is_not_understood_is_made_right(cache: Cache, checkout: Path) -> None:
    cache.edit(lambda rows: rows[str(checkout)].update(kept="because"))
    assert keep(cache, str(checkout)).since is not None
    assert isinstance(kept(cache, checkout), dict)


def test_unkeeping_takes_the_field_away_and_can_be_repeated(cache: Cache, checkout: Path) -> None:
    keep(cache, str(checkout))
    assert unkeep(cache, str(checkout)) == Keeping([str(checkout)], ENVIRONMENT, None, None, is_changed=True)
    assert "kept" not in (cache.get_mapping(checkout) or {})
    assert not unkeep(cache, str(checkout)).is_changed


@pytest.mark.parametrize("inside", ["", "src/package"], ids=["itself", "a folder in it"])
@pytest.mark.parametrize("is_linked", [False, True], ids=["as it is", "through a link"])
def test_a_checkout_can_be_named_by_any_of_its_paths(
    cache: Cache, checkout: Path, tmp_path: Path, inside: str, *, is_linked: bool
) -> None:
    (checkout / "src/package").mkdir(parents=True)
    (tmp_path / "link").symlink_to(checkout)
    path = os.path.join(tmp_path / "link" if is_linked else checkout, inside)
    assert keep(cache, path).projects == [str(checkout)]


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "gone"])
def test_an_environment_keeps_for_all_who_have_it(
    cache: Cache, checkout: Path, tmp_path: Path, *, is_there: bool
) -> None:
    other = checkouts.make(tmp_path / "other")
    add(cache, other)
    third = checkouts.make(tmp_path / "third", OTHER)
    add(cache, third, OTHER)
    if is_there:
        checkouts.make_environment()
    assert keep(cache, expand(ENVIRONMENT) + "/", "both").projects == [str(checkout), str(other)]
    assert kept(cache, checkout) == kept(cache, other)
    assert kept(cache, third) is None
    assert unkeep(cache, expand(ENVIRONMENT)).projects == [str(checkout), str(other)]


def test_an_environment_can_be_named_through_a_link(cache: Cache, checkout: Path, tmp_path: Path) -> None:
    environment = checkouts.make_environment()
    (tmp_path / "link").symlink_to(environment.parent)
    assert keep(cache, str(tmp_path / "link" / environment.name)).projects == [str(checkout)]


def test_a_checkout_that_is_gone_can_be_kept(cache: Cache, checkout: Path) -> None:
    for path in (".env.uve", "pyproject.toml"):
        (checkout / path).unlink()
    checkout.rmdir()
    assert keep(cache, str(checkout), "archive").is_changed


@pytest.mark.parametrize("change", [keep, unkeep])
def test_what_is_not_registered_cannot_be_kept(cache: Cache, checkout: Path, tmp_path: Path, change: Change) -> None:
    stranger = checkouts.make(tmp_path / "demo's sibling")
    cache.edit(lambda rows: rows.update({"/no": None, "/environment": {}, "/relative": {"venv_path": ""}}))
    before = cache.path.read_bytes()
    for path in (stranger, Path(f"{checkout}-2"), Path(expand(OTHER)), Path.cwd(), Path("/no")):
        with pytest.raises(ProjectError, match="is neither a registered checkout nor the environment of one"):
            change(cache, str(path))
    assert cache.path.read_bytes() == before


@pytest.mark.parametrize("change", [keep, unkeep])
def test_a_registry_that_cannot_be_read_is_an_error(cache: Cache, tmp_path: Path, change: Change) -> None:
    cache.path.mkdir(parents=True)
    with pytest.raises(CacheError):
        change(cache, str(tmp_path))


# What becomes of it when the checkout is registered again


def test_the_same_environment_stays_kept(cache: Cache, checkout: Path) -> None:
    keep(cache, str(checkout), "thesis")
    add(cache, checkout)
    cache.add_mapping(checkout, expand(ENVIRONMENT) + "/", "demo", "0a1b2c3d")
    assert kept(cache, checkout) is not None


def test_another_environment_is_not_kept_and_that_is_told(cache: Cache, checkout: Path) -> None:
    keep(cache, str(checkout), "thesis")
    done = register(cache, checkout, OTHER, accept=True)
    assert kept(cache, checkout) is None
    assert f"{ENVIRONMENT!r} is now unused, and no longer kept ('thesis')" in done.message


def test_another_environment_of_what_was_not_kept_is_told_as_ever(cache: Cache, checkout: Path) -> None:
    assert register(cache, checkout, OTHER, accept=True).message.endswith(f"{ENVIRONMENT!r} is now unused")


def test_what_moves_stays_kept(cache: Cache, checkout: Path, tmp_path: Path) -> None:
    keep(cache, str(checkout), "thesis")
    moved = checkout.rename(tmp_path / "moved")
    assert register(cache, moved, ENVIRONMENT).outcome == "moved"
    assert isinstance(kept(cache, moved), dict)


def test_whoever_gets_the_environment_of_one_that_is_gone_has_it_kept(
    cache: Cache, checkout: Path, tmp_path: Path
) -> None:
    other = checkouts.make(tmp_path / "other", OTHER)
    add(cache, other, OTHER)
    keep(cache, str(other), "theirs")
    keep(cache, str(checkout), "ours")
    (other / ".env.uve").unlink()
    other.rmdir()
    assert register(cache, checkout, OTHER, accept=True).no_longer_kept == "ours"
    assert cache.list_all().keys() == {str(checkout)}
    mapping = cache.get_mapping(checkout) or {}
    assert (mapping["venv_path"], mapping["kept"]["reason"]) == (OTHER, "theirs")
