"""The registry anew, from markers and env files."""

import os
from pathlib import Path

import pytest

from prime_uve.core import marker
from prime_uve.core.cache import Cache
from prime_uve.core.paths import generate_hash
from prime_uve.core.rebuild import Discovery, carry_out, discover, plan
from prime_uve.core.registration import Outcome


def checkout(folder: Path, name: str = "demo_1") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").touch()
    (folder / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT=${{HOME}}/prime-uve/venvs/{name}\n")
    return folder


def environment(home: Path, name: str = "demo_1") -> Path:
    folder = home / "prime-uve/venvs" / name
    folder.mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    return folder


def rebuilt(*roots: Path) -> tuple[Cache, Discovery]:
    cache, found = Cache(), discover([str(root) for root in roots])
    carry_out(cache, plan(cache, found))
    return cache, found


def test_without_a_marker_the_checkout_that_an_environment_is_named_after_has_it(home: Path, tmp_path: Path) -> None:
    """And not the clone that names it, too, and comes first."""
    project = tmp_path / "work" / "p"
    name = f"demo_{generate_hash(project)}"
    checkout(project, name)
    checkout(tmp_path / "evil", name)
    environment(home, name)
    cache, found = rebuilt(tmp_path)
    assert list(cache.list_all()) == [str(project)]
    (trouble,) = found.troubles
    assert f"which belongs to {str(project)!r}" in trouble


def test_a_lost_registry_comes_back_from_the_markers(home: Path, tmp_path: Path) -> None:
    project = checkout(tmp_path / "p")
    marker.mark(str(environment(home)), str(project))
    cache, found = rebuilt()
    assert {p: row["venv_path"] for p, row in cache.list_all().items()} == {
        str(project): "${HOME}/prime-uve/venvs/demo_1"
    }
    assert found.troubles == []


def test_checkouts_are_found_below_the_roots_at_any_depth(tmp_path: Path) -> None:
    projects = [checkout(tmp_path / "a"), checkout(tmp_path / "b/c/d", "other_2"), checkout(tmp_path / "a/in", "in_3")]
    cache, _ = rebuilt(tmp_path)
    assert set(cache.list_all()) == {str(project) for project in projects}


@pytest.mark.parametrize("name", [".git", "node_modules", ".venv", "__pycache__"])
def test_folders_that_hold_no_checkouts_are_not_walked(tmp_path: Path, name: str) -> None:
    checkout(tmp_path / name / "copy")
    cache, _ = rebuilt(tmp_path)
    assert cache.list_all() == {}


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    checkout(tmp_path / "elsewhere")
    (tmp_path / "root/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/loop").symlink_to(tmp_path / "root")
    cache, _ = rebuilt(tmp_path / "root")
    assert cache.list_all() == {}


def test_two_checkouts_of_one_environment_leave_it_to_the_one_that_the_marker_names(home: Path, tmp_path: Path) -> None:
    first, second = checkout(tmp_path / "a"), checkout(tmp_path / "b")
    marker.mark(str(environment(home)), str(second))
    cache, found = rebuilt(tmp_path)
    assert set(cache.list_all()) == {str(second)}
    assert [trouble for trouble in found.troubles if repr(str(first)) in trouble and "prime-uve init" in trouble]


def test_a_marker_whose_project_is_gone_adds_nothing(home: Path, tmp_path: Path) -> None:
    marker.mark(str(environment(home)), str(tmp_path / "gone"))
    cache, _ = rebuilt()
    assert cache.list_all() == {}


def test_a_marker_that_the_env_file_contradicts_does_not_win(home: Path, tmp_path: Path) -> None:
    project = checkout(tmp_path / "p", "now_2")
    marker.mark(str(environment(home, "then_1")), str(project))
    cache, _ = rebuilt()
    assert [row["venv_path"] for row in cache.list_all().values()] == ["${HOME}/prime-uve/venvs/now_2"]


def test_what_the_registry_has_and_nothing_contradicts_stays(tmp_path: Path) -> None:
    kept = checkout(tmp_path / "kept", "kept_1")
    Cache().add_mapping(kept, "${HOME}/prime-uve/venvs/kept_1", "kept", "1")
    before = Cache().get_mapping(kept)
    new = checkout(tmp_path / "walked/new", "new_2")
    cache, _ = rebuilt(tmp_path / "walked")
    assert set(cache.list_all()) == {str(kept), str(new)}
    assert cache.get_mapping(kept) == before


def test_nothing_is_planned_where_everything_is_registered(tmp_path: Path) -> None:
    checkout(tmp_path / "p")
    cache, found = rebuilt(tmp_path)
    assert plan(cache, found) == []


def test_a_changed_path_is_planned_as_an_update(tmp_path: Path) -> None:
    project = checkout(tmp_path / "p", "new_2")
    cache = Cache()
    cache.add_mapping(project, "${HOME}/prime-uve/venvs/old_1", "p", "1")
    assert [each.outcome for each in plan(cache, discover([str(tmp_path)]))] == [Outcome.UPDATED]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        pytest.param("UV_PROJECT_ENVIRONMENT=two words\n", "line 1", id="it is half-valid"),
        pytest.param("UV_PROJECT_ENVIRONMENT=/etc\n", "not inside", id="it names a place outside of the bases"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_and_left(tmp_path: Path, content: str, part: str) -> None:
    project = checkout(tmp_path / "p")
    (project / ".env.uve").write_text(content)
    cache, found = rebuilt(tmp_path)
    assert cache.list_all() == {}
    assert any(part in trouble and str(project) in trouble for trouble in found.troubles)


def test_a_root_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [trouble for trouble in discover([str(tmp_path / "file")]).troubles if "cannot look into" in trouble]


def test_each_folder_is_reported_to_the_progress(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    seen: list[str] = []
    discover([str(tmp_path)], seen.append)
    assert {os.path.relpath(folder, tmp_path) for folder in seen} >= {".", "a", "a/b"}
