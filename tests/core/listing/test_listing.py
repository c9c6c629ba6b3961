"""The rows of a listing, of a real registry and real folders."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve.core import marker
from prime_uve.core.cache import Cache, CacheError
from prime_uve.core.keeping import keep
from prime_uve.core.listing import take_listing
from prime_uve.core.listing.arrangement import Order, arranged, chosen, repositories
from prime_uve.core.listing.listed import Kept, ListedRow
from prime_uve.core.paths import expand
from tests import hung_mount
from tests.commands import Git
from tests.core import checkouts
from tests.core.checkouts import ENVIRONMENT, LONG_AGO, add
from tests.core.test_installed import editable, record
from tests.trees import tree

OTHER = "${HOME}/prime-uve/venvs/other_0a1b2c3d"


@pytest.fixture
def cache() -> Cache:
    return Cache()


def registered(cache: Cache, project: Path, venv_path: str = ENVIRONMENT) -> Path:
    """Register a checkout, with an environment."""
    made = checkouts.make(project, venv_path)
    environment = Path(expand(venv_path))
    if not environment.exists():
        checkouts.make_environment(venv_path)
        (environment / "pyvenv.cfg").write_text("version_info = 3.12.3\n")
    marker.give(str(environment), str(made))
    os.utime(environment / marker.NAME, (0, 86_400))
    add(cache, made, venv_path)
    return made


def rows(cache: Cache) -> dict[str, ListedRow]:
    listing = take_listing(cache)
    assert listing.troubles == []
    return {row.project or row.venv_path_expanded: row for row in listing.rows}


def test_nothing_is_registered_and_nothing_is_made(cache: Cache, home: Path) -> None:
    assert take_listing(cache) == ([], [])
    assert tree(home) == {}


@pytest.mark.parametrize("is_plain", [True, False], ids=["seen at a glance", "looked at closer"])
def test_a_row_says_all_that_is_known(cache: Cache, tmp_path: Path, home: Path, git: Git, *, is_plain: bool) -> None:
    project = registered(cache, tmp_path / "demo")
    git(project, "init", "--quiet")
    since = keep(cache, str(project), "thesis").since
    if not is_plain:
        (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT='{expand(ENVIRONMENT)}'\n")
    before = tree(home)
    assert rows(cache) == {
        str(project): ListedRow(
            project=str(project),
            project_name="demo",
            venv_path=ENVIRONMENT,
            venv_path_expanded=f"{home}/prime-uve/venvs/demo_0a1b2c3d",
            status="valid",
            issues=[],
            created_at=LONG_AGO,
            last_validated=LONG_AGO,
            python="3.12.3",
            last_used="1970-01-02T00:00:00Z",
            shared_with=rows(cache)[str(project)].shared_with,
            kept=Kept("thesis", since),
            repository=f"{project}/.git",
        )
    }
    assert not rows(cache)[str(project)].shared_with
    assert tree(home) == before


@pytest.mark.parametrize(
    ("spoil", "status", "issue"),
    [
        pytest.param(shutil.rmtree, "orphaned", "is gone", id="gone"),
        pytest.param(lambda it: (it / ".env.uve").unlink(), "orphaned", "has no .env.uve", id="no env file"),
        pytest.param(lambda it: (it / ".env.uve").write_text("A=1\n"), "mismatch", "names no", id="names nothing"),
        pytest.param(
            lambda it: (it / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={OTHER}\n"),
            "mismatch",
            "names",
            id="other",
        ),
        pytest.param(lambda it: (it / ".env.uve").write_text("A b\n"), "error", "line 1", id="no syntax"),
        pytest.param(lambda it: it.parent.rename(f"{it.parent}-2"), "error", "out of reach", id="out of reach"),
    ],
)
def test_who_is_not_valid_is_looked_at_closer(
    cache: Cache, tmp_path: Path, spoil: Callable[[Path], object], status: str, issue: str
) -> None:
    good, bad = registered(cache, tmp_path / "good"), registered(cache, tmp_path / "in/bad", OTHER + "-2")
    spoil(bad)
    found = rows(cache)
    assert (found[str(good)].status, found[str(bad)].status) == ("valid", status)
    assert issue in found[str(bad)].issues[0]
    assert found[str(bad)].python == "3.12.3"


def test_a_row_that_names_no_environment_is_a_row(cache: Cache) -> None:
    cache.edit(lambda them: them.update({"/a": None, "/b": {"venv_path": 5, "kept": True}}))
    found = rows(cache)
    assert {project: row.status for project, row in found.items()} == {"/a": "error", "/b": "error"}
    assert (found["/b"].venv_path, found["/b"].venv_path_expanded, found["/b"].kept) == ("", "", ("", None))


@pytest.mark.parametrize("spelling", [ENVIRONMENT, "{home}/prime-uve/venvs/../venvs/demo_0a1b2c3d", "{link}"])
def test_who_shares_an_environment_is_told(cache: Cache, tmp_path: Path, home: Path, spelling: str) -> None:
    one = registered(cache, tmp_path / "one")
    (tmp_path / "link").symlink_to(home / "prime-uve/venvs")
    spelling = spelling.replace("{home}", str(home)).replace("{link}", f"{tmp_path}/link/demo_0a1b2c3d")
    two = checkouts.make(tmp_path / "two", spelling)
    add(cache, two, spelling)
    alone = registered(cache, tmp_path / "alone", OTHER)
    found = rows(cache)
    assert list(found[str(one)].shared_with) == [str(two)]
    assert list(found[str(two)].shared_with) == [str(one)]
    assert not found[str(alone)].shared_with
    shutil.rmtree(two)
    assert not rows(cache)[str(one)].shared_with, "who is gone shares nothing"


def test_who_names_it_and_has_another_registered_shares_it(cache: Cache, tmp_path: Path) -> None:
    one, two = registered(cache, tmp_path / "one"), registered(cache, tmp_path / "two", OTHER)
    (two / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={ENVIRONMENT}\n")
    found = rows(cache)
    assert found[str(one)].shared_with == [str(two)]
    assert found[str(two)].status == "mismatch"


# What nobody has registered


def test_what_nobody_has_registered_is_a_row_with_whom_it_probably_belongs_to(
    cache: Cache, tmp_path: Path, home: Path
) -> None:
    registered(cache, tmp_path / "good")
    base = home / "prime-uve/venvs"
    for name in ("marked", "edited", "unknown", "no environment"):
        (base / name).mkdir()
        if name != "no environment":
            (base / name / "pyvenv.cfg").write_text("version = 3.11.7\n")
    marker.mark(str(base / "marked"), "/the/marked/one")
    record(base / "edited", "demo", editable("file:///the/edited/one"))
    (base / "link").symlink_to(base / "unknown")
    (base / ".trash").mkdir()
    found = {row.venv_path: row for row in take_listing(cache).rows if row.status == "untracked"}
    assert {path: (row.probable_project, row.probable_by) for path, row in found.items()} == {
        "${HOME}/prime-uve/venvs/marked": ("/the/marked/one", "marker"),
        "${HOME}/prime-uve/venvs/edited": ("/the/edited/one", "editable"),
        "${HOME}/prime-uve/venvs/unknown": (None, None),
    }
    assert {row.python for row in found.values()} == {"3.11.7"}
    assert {row.project for row in found.values()} == {None}


def test_what_an_env_file_names_and_nobody_has_registered_is_probably_its(cache: Cache, tmp_path: Path) -> None:
    project = registered(cache, tmp_path / "demo")
    checkouts.make_environment(OTHER)
    (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={OTHER}\n")
    row = rows(cache)[expand(OTHER)]
    assert (row.probable_project, row.probable_by) == (str(project), "env file")


# What cannot be looked at


def test_a_base_that_cannot_be_listed_is_told(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = registered(cache, tmp_path / "demo")
    (tmp_path / "file").touch()
    monkeypatch.setenv("PRIME_UVE_VENVS", f"{tmp_path}/file:{tmp_path}/none")
    listing = take_listing(cache)
    assert [(row.project, row.status) for row in listing.rows] == [(str(project), "valid")]
    (trouble,) = listing.troubles
    assert f"cannot look into '{tmp_path}/file': Not a directory" in trouble


def test_a_registry_that_cannot_be_read_is_no_empty_listing(cache: Cache) -> None:
    cache.path.mkdir(parents=True)
    with pytest.raises(CacheError):
        take_listing(cache)


def test_a_mount_that_hangs_hides_no_other(cache: Cache, tmp_path: Path, home: Path) -> None:
    mount = tmp_path / "share"
    mount.mkdir()
    good = registered(cache, tmp_path / "good")
    for number in range(20):
        cache.add_mapping(mount / f"p{number}", f"{OTHER}{number}", "lost", "00000000")
    cache.add_mapping(tmp_path / "away", f"{mount}/venvs/away", "away", "00000000")
    script = (
        "from prime_uve.core.cache import Cache; from prime_uve.core.listing import take_listing\n"
        "for row in take_listing(Cache(), timeout=0.5).rows: print(row.status, row.project)"
    )
    done = checkouts.child(script, cwd=tmp_path, prefix=hung_mount.prefix(mount), env={"HOME": str(home)})
    said = checkouts.output(done).splitlines()
    lost = [f"error {mount}/p{number}" for number in range(20)]
    assert sorted(said) == sorted([f"valid {good}", f"error {tmp_path}/away", *lost])


# Order


def row(
    project: str | None, *, status: str = "valid", last_used: str | None = None, repository: str | None = None
) -> ListedRow:
    place = project or "/e"
    return ListedRow(
        project, "", "", place, status, [], None, None, last_used=last_used, repository=repository
    )  # fmt: skip


def test_the_checkouts_of_one_repository_stand_together() -> None:
    places = {None: None, "/d": "/a/.git", "/c": None, "/b": "/b/.git", "/a": "/a/.git"}
    listed = [row(project, repository=place) for project, place in places.items()]
    assert [it.project for it in arranged(listed, Order.PROJECT, {})] == ["/a", "/d", "/b", "/c", None]
    assert repositories(listed) == {"/a/.git": ["/a", "/d"]}


def test_rows_are_sorted_as_is_asked_and_then_by_project() -> None:
    listed = [
        row("/d", status="valid", last_used="2026-01-01T00:00:00Z"),
        row("/c", status="error"),
        row("/b", status="orphaned", last_used="2026-01-02T00:00:00Z"),
        row("/a", status="mismatch"),
        row(None, status="untracked"),
    ]
    sizes = {"/d": 5, "/b": 7, "/e": 0}

    def names(order: Order) -> list[str | None]:
        return [it.project for it in arranged(listed, order, sizes)]

    assert names(Order.STATUS) == ["/c", "/a", "/b", None, "/d"]
    assert names(Order.LAST_USED) == ["/b", "/d", "/a", "/c", None]
    assert names(Order.SIZE) == ["/b", "/d", None, "/a", "/c"]
    assert [it.project for it in chosen(listed, ["error", "valid"])] == ["/d", "/c"]
    assert chosen(listed, []) == listed
