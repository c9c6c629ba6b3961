"""What there is: environments in real folders, and the checkouts that claim them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve.core import marker
from prime_uve.core.cache import Cache, CacheError
from prime_uve.core.inventory import Claim, Environment, Source, take_inventory
from prime_uve.core.inventory.ownership import PROTECTING
from prime_uve.core.paths import TRASH
from prime_uve.core.validation.presence import Presence
from tests.core import checkouts
from tests.core.checkouts import ENVIRONMENT, LONG_AGO, add
from tests.trees import tree

NAME = "demo_0a1b2c3d"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "registry" / "cache.json")


@pytest.fixture
def base(home: Path) -> Path:
    return home / "prime-uve" / "venvs"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return checkouts.make(tmp_path / "work" / "demo")


def one(cache: Cache) -> Environment:
    (environment,) = take_inventory(cache).environments
    return environment


def claims(environment: Environment) -> list[tuple[str, Claim, Source]]:
    return [(Path(each.project).name, each.claim, each.source) for each in environment.checkouts]


def test_an_empty_registry_is_an_empty_inventory_and_is_not_made(cache: Cache, base: Path, home: Path) -> None:
    inventory = take_inventory(cache)
    assert (inventory.environments, inventory.registered, inventory.troubles) == ((), [], ())
    assert inventory.bases == (str(base),)
    assert not cache.path.parent.exists()
    assert tree(home) == {}


def test_an_environment_says_all_that_is_known_of_it(cache: Cache, project: Path, base: Path) -> None:
    environment = checkouts.make_environment()
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.12.7\n")
    marker.mark(str(environment), str(project))
    os.utime(environment / marker.NAME, (1e9, 1e9))
    add(cache, project)
    found = one(cache)
    assert (found.path, found.base, found.presence) == (str(environment), str(base), Presence.HERE)
    assert (found.owner, found.last_used, found.python) == (str(project), 1e9, "3.12.7")
    assert (found.is_link, found.is_environment, found.is_tracked, found.kept) == (False, True, True, None)
    (checkout,) = found.registered
    assert (checkout.project, checkout.claim, checkout.source) == (str(project), Claim.LIVING, Source.REGISTRY)
    assert (checkout.created_at, checkout.last_validated) == (LONG_AGO, LONG_AGO)
    assert checkout.mapping == cache.rows()[str(project)]
    assert checkout.result.is_valid


def test_taking_it_writes_nothing(cache: Cache, project: Path, home: Path, tmp_path: Path) -> None:
    checkouts.make_environment()
    add(cache, project)
    before = tree(home, tmp_path)
    take_inventory(cache)
    assert tree(home, tmp_path) == before


@pytest.mark.parametrize(
    ("written", "version"),
    [
        pytest.param("version = 3.11.4\n", "3.11.4", id="by the standard library"),
        pytest.param("uv = 0.13.9\nversion_info=3.14.0rc1\n", "3.14.0rc1", id="by uv"),
        pytest.param("\n" * 65_000 + "version = 3.12.1\n", "3.12.1", id="below very many empty lines"),
        pytest.param("home = /usr/bin\n", None, id="not at all"),
        pytest.param("version = \x1b[31m\n", None, id="what a terminal obeys"),
        pytest.param("version = 3.12\n" + "#" * (1 << 16), None, id="too large"),
    ],
)
def test_the_version_is_what_the_configuration_says(
    cache: Cache, project: Path, written: str, version: str | None
) -> None:
    (checkouts.make_environment() / "pyvenv.cfg").write_text(written)
    add(cache, project)
    assert one(cache).python == version


def test_rows_come_by_project_each_with_its_status(cache: Cache, tmp_path: Path) -> None:
    projects = {name: checkouts.make(tmp_path / name) for name in ("d valid", "b gone", "c changed", "a hidden/demo")}
    checkouts.make_environment()
    for project in projects.values():
        add(cache, project)
    shutil.rmtree(projects["b gone"])
    (projects["c changed"] / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=/elsewhere\n")
    projects["a hidden/demo"].parent.rename(tmp_path / "elsewhere")
    inventory = take_inventory(cache)
    assert [(each.project, each.result.status, each.claim) for each in inventory.registered] == [
        (f"{tmp_path}/a hidden/demo", "error", Claim.UNREACHABLE),
        (f"{tmp_path}/b gone", "orphaned", Claim.GONE),
        (f"{tmp_path}/c changed", "mismatch", Claim.LIVING),
        (f"{tmp_path}/d valid", "valid", Claim.LIVING),
    ]
    (environment,) = inventory.environments
    assert len(environment.checkouts) == len(projects)


# What a checkout claims


def unreadable(project: Path) -> None:
    (project / ".env.uve").write_text("A=b c d\n")


def bare_but_local(project: Path) -> None:
    (project / ".env.uve").rename(project / ".env.uve.local")


def elsewhere(project: Path) -> None:
    (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=/elsewhere\n")


def nowhere(project: Path) -> None:
    shutil.rmtree(project)


def out_of_reach(project: Path) -> None:
    project.parent.rename(project.parent.with_name("moved"))


def bare(project: Path) -> None:
    (project / ".env.uve").unlink()


def as_it_was(project: Path) -> None:
    assert project.is_dir()


@pytest.mark.parametrize(
    ("change", "by_row", "by_marker"),
    [
        pytest.param(as_it_was, Claim.LIVING, Claim.LIVING, id="it names the environment"),
        pytest.param(elsewhere, Claim.LIVING, Claim.RELEASED, id="it names another"),
        pytest.param(bare, Claim.RELEASED, Claim.RELEASED, id="it has no env file"),
        pytest.param(bare_but_local, Claim.LIVING, Claim.LIVING, id="it has the local env file alone"),
        pytest.param(unreadable, Claim.UNREADABLE, Claim.UNREADABLE, id="its env file cannot be read"),
        pytest.param(out_of_reach, Claim.UNREACHABLE, Claim.UNREACHABLE, id="it is out of reach"),
        pytest.param(nowhere, Claim.GONE, Claim.GONE, id="it is gone"),
    ],
)
def test_a_checkout_claims_as_much_as_it_can_be_seen_to(
    cache: Cache, project: Path, change: Callable[[Path], None], by_row: Claim, by_marker: Claim
) -> None:
    environment = checkouts.make_environment()
    marker.mark(str(environment), str(project))
    (project.parent / "neighbour").mkdir()
    add(cache, project)
    change(project)
    assert claims(one(cache)) == [("demo", by_row, Source.REGISTRY)]
    cache.clear()
    assert claims(one(cache)) == [("demo", by_marker, Source.MARKER)]


def test_an_empty_folder_is_no_witness_for_whom_only_a_marker_names(cache: Cache, project: Path) -> None:
    marker.mark(str(checkouts.make_environment()), str(project))
    shutil.rmtree(project)
    assert claims(one(cache)) == [("demo", Claim.UNREACHABLE, Source.MARKER)]
    (project.parent / "neighbour").mkdir()
    assert claims(one(cache)) == [("demo", Claim.GONE, Source.MARKER)]


def test_who_names_it_under_another_home_has_not_let_go_of_it(
    cache: Cache, project: Path, home: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker.mark(str(checkouts.make_environment()), str(project))
    monkeypatch.setenv("HOME", str(home.with_name("another")))
    monkeypatch.setenv("PRIME_UVE_VENVS", str(base))
    assert claims(one(cache)) == [("demo", Claim.LIVING, Source.MARKER)]
    (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/other\n")
    assert claims(one(cache)) == [("demo", Claim.RELEASED, Source.MARKER)]


def test_whom_the_marker_names_lets_go_of_what_he_had_before(cache: Cache, project: Path) -> None:
    marker.mark(str(checkouts.make_environment()), str(project))
    other = ENVIRONMENT.replace("demo_", "other_")
    (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={other}\n")
    checkouts.make_environment(other)
    add(cache, project, other)
    former, present = take_inventory(cache).environments
    assert claims(former) == [("demo", Claim.RELEASED, Source.MARKER)]
    assert claims(present) == [("demo", Claim.LIVING, Source.REGISTRY)]


def test_an_env_file_claims_what_the_registry_gives_to_another(cache: Cache, project: Path, tmp_path: Path) -> None:
    checkouts.make_environment()
    gone = checkouts.make(tmp_path / "gone")
    add(cache, gone)
    shutil.rmtree(gone)
    add(cache, project, "${HOME}/prime-uve/venvs/former")
    environment = next(each for each in take_inventory(cache).environments if each.path.endswith(NAME))
    assert claims(environment) == [
        ("gone", Claim.GONE, Source.REGISTRY),
        ("demo", Claim.LIVING, Source.ENV_FILE),
    ]


def test_a_checkout_that_is_not_registered_claims_if_it_is_asked(cache: Cache, project: Path, tmp_path: Path) -> None:
    checkouts.make_environment()
    gone = checkouts.make(tmp_path / "gone")
    add(cache, gone)
    gone.rename(tmp_path / "moved")
    assert claims(one(cache)) == [("gone", Claim.GONE, Source.REGISTRY)]
    (found,) = take_inventory(cache, also=[str(tmp_path / "moved"), str(project)]).environments
    assert [(name, claim) for name, claim, _ in claims(found)] == [
        ("moved", Claim.LIVING),
        ("demo", Claim.LIVING),
        ("gone", Claim.GONE),
    ]


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param("{base}/" + NAME, id="as it is"),
        pytest.param("{base}/" + NAME + "/", id="with a slash"),
        pytest.param("{base}//" + NAME, id="with two slashes"),
        pytest.param("{base}/x/../" + NAME, id="by a detour"),
        pytest.param("{link}/" + NAME, id="by a link to the base"),
        pytest.param("{base}/link", id="by a link beside it"),
        pytest.param("{outside}", id="by a link from outside"),
        pytest.param("{base}/" + NAME + "/deep/inside", id="an environment inside it"),
    ],
)
def test_by_any_spelling_one_environment_is_claimed_by_all(
    cache: Cache, base: Path, tmp_path: Path, spelling: str
) -> None:
    environment = checkouts.make_environment()
    (tmp_path / "bases").symlink_to(base)
    (tmp_path / "outside").symlink_to(environment)
    (base / "link").symlink_to(NAME)
    gone = checkouts.make(tmp_path / "gone")
    add(cache, gone)
    shutil.rmtree(gone)
    value = spelling.format(base=base, link=tmp_path / "bases", outside=tmp_path / "outside")
    other = checkouts.make(tmp_path / "other", value)
    cache.add_mapping(other, value, "demo", "0a1b2c3d")
    found = next(each for each in take_inventory(cache).environments if each.path == str(environment))
    claimed = {name: claim for name, claim, _ in claims(found)}
    assert claimed.keys() == {"gone", "other"}
    assert claimed["gone"] is Claim.GONE
    assert claimed["other"] in PROTECTING


def test_a_checkout_inside_an_environment_claims_it(cache: Cache, base: Path) -> None:
    environment = checkouts.make_environment()
    add(cache, checkouts.make(environment / "src" / "tool", str(base / "other")), str(base / "other"))
    found = next(each for each in take_inventory(cache).environments if each.path == str(environment))
    assert claims(found) == [("tool", Claim.LIVING, Source.INSIDE)]


def test_what_a_path_meant_when_it_was_written_is_claimed_where_the_row_is_broken(cache: Cache, project: Path) -> None:
    checkouts.make_environment()
    add(cache, project)
    (project / ".env.uve").unlink()
    cache.edit(lambda rows: rows[str(project)].update(venv_path=None))
    inventory = take_inventory(cache)
    (environment,) = inventory.environments
    assert claims(environment) == [("demo", Claim.UNREADABLE, Source.ALIAS)]
    assert [each.project for each in inventory.homeless] == [str(project)]


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        pytest.param({"reason": "for the paper", "since": LONG_AGO}, "for the paper", id="with a reason"),
        pytest.param({"reason": "", "since": LONG_AGO}, "", id="without a reason"),
        pytest.param({}, "", id="an empty object"),
        pytest.param(True, "", id="true"),
        pytest.param("yes", "", id="text"),
        pytest.param(False, None, id="false"),
        pytest.param(None, None, id="null"),
    ],
)
def test_whatever_stands_under_kept_keeps(cache: Cache, project: Path, kept: object, reason: str | None) -> None:
    checkouts.make_environment()
    add(cache, project)
    cache.edit(lambda rows: rows[str(project)].update(kept=kept))
    assert one(cache).kept == reason


# What lies in the bases


def test_what_nobody_registered_is_shown_if_it_is_an_environment(cache: Cache, base: Path) -> None:
    stranger = checkouts.make_environment("${HOME}/prime-uve/venvs/stranger")
    checkouts.make_environment(f"${{HOME}}/prime-uve/venvs/{TRASH}")
    (base / "folder").mkdir()
    (base / "file").touch()
    (base / "link").symlink_to("stranger")
    found = one(cache)
    assert (found.path, found.is_tracked, found.checkouts) == (str(stranger), False, ())


def test_a_registered_link_is_shown_as_one_and_what_it_leads_to_is_claimed(
    cache: Cache, project: Path, base: Path
) -> None:
    target = checkouts.make_environment("${HOME}/prime-uve/venvs/target")
    (base / NAME).symlink_to(target)
    add(cache, project)
    link, found = take_inventory(cache).environments
    assert (link.is_link, claims(link)) == (True, [("demo", Claim.LIVING, Source.REGISTRY)])
    assert (found.is_link, claims(found)) == (False, [("demo", Claim.LIVING, Source.ALIAS)])


def test_several_bases_are_looked_into_and_one_that_is_two_is_one(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    (tmp_path / "again").symlink_to(first)
    monkeypatch.setenv("PRIME_UVE_VENVS", os.pathsep.join(map(str, (first, second, tmp_path / "again"))))
    for folder in (first, second):
        checkouts.make_environment(str(folder / "x"))
    assert [(each.path, each.base) for each in take_inventory(cache).environments] == [
        (str(first / "x"), str(first)),
        (str(second / "x"), str(second)),
    ]


def test_an_environment_outside_the_bases_has_none(cache: Cache, tmp_path: Path) -> None:
    environment = checkouts.make_environment(str(tmp_path / "mine"))
    project = checkouts.make(tmp_path / "demo", str(environment))
    add(cache, project, str(environment))
    found = one(cache)
    assert (found.path, found.base, found.presence) == (str(environment), None, Presence.HERE)
    assert claims(found) == [("demo", Claim.LIVING, Source.REGISTRY)]


def test_an_environment_that_is_not_there_is_gone(cache: Cache, project: Path, base: Path) -> None:
    add(cache, project)
    found = one(cache)
    assert (found.base, found.presence, found.is_environment) == (str(base), Presence.GONE, False)


def test_a_base_that_is_no_folder_is_told(cache: Cache, base: Path) -> None:
    base.parent.mkdir()
    base.touch()
    (trouble,) = take_inventory(cache).troubles
    assert repr(str(base)) in trouble
    assert "Not a directory" in trouble


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
def test_a_row_that_names_no_environment_is_homeless_and_an_error(cache: Cache, project: Path, mapping: object) -> None:
    cache.edit(lambda rows: rows.update({str(project): mapping}))
    (checkout,) = take_inventory(cache).homeless
    assert (checkout.project, checkout.result.status, checkout.claim) == (str(project), "error", Claim.UNREADABLE)
    assert "names no environment" in checkout.result.issues[0]
    assert (checkout.created_at, checkout.last_validated, checkout.kept) == (None, None, None)


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


def test_of_a_damaged_registry_the_readable_part_is_shown_and_nothing_is_written(
    cache: Cache, capfd: pytest.CaptureFixture[str]
) -> None:
    cache.path.parent.mkdir()
    raw = b'{"version": "1.0", "venvs": {"/whole": {"venv_path": "/v"}, "/cut": {"venv_pa'
    cache.path.write_bytes(raw)
    assert [row.project for row in take_inventory(cache).registered] == ["/whole"]
    assert f"{cache.path} is damaged" in capfd.readouterr().err
    assert [entry.read_bytes() for entry in cache.path.parent.iterdir()] == [raw]
