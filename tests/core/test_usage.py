"""What folders take up, and what deleting them would free, on a real file system."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve.core.usage import Links, Measurement, Usage, combine, measure, measure_all
from tests import commands, hung_mount
from tests.core import checkouts
from tests.privileges import unprivileged

BLOCK = 4096
MEASURE = "import sys; from prime_uve.core.usage import measure; print(measure(sys.argv[1]).usage)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "environment"
    path.mkdir()
    return path


def fill(path: Path, size: int = BLOCK) -> Path:
    """Make a file that takes up `size` bytes on the disk, for sure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(os.urandom(size))
        os.fsync(stream.fileno())
    return path


def on_disk(*paths: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in paths)


def test_a_folder_takes_up_what_du_says(folder: Path) -> None:
    fill(folder / "a")
    fill(folder / "b/c", 10 * BLOCK)
    (folder / "b/c").with_name("hard").hardlink_to(folder / "b/c")
    (folder / "link").symlink_to("/usr")
    told = subprocess.run(["du", "-s", "-B1", folder], check=True, capture_output=True, text=True).stdout
    found = measure(str(folder)).usage
    assert found == Usage(size=int(told.split()[0]), freed=int(told.split()[0]), files=4, unseen=0)


def test_a_sparse_file_takes_up_its_blocks_alone(folder: Path) -> None:
    with (folder / "sparse").open("wb") as stream:
        stream.truncate(1 << 31)
    assert measure(str(folder)).usage.size < 1 << 20


def test_a_file_is_freed_only_if_all_its_links_lie_inside(folder: Path, tmp_path: Path) -> None:
    own, inside, outside = fill(folder / "own"), fill(folder / "inside", 2 * BLOCK), fill(folder / "x/outside")
    (folder / "inside-too").hardlink_to(inside)
    (tmp_path / "cache").hardlink_to(outside)
    found = measure(str(folder))
    folders = on_disk(folder, folder / "x")
    assert found.usage == Usage(
        size=folders + on_disk(own, inside, outside), freed=folders + on_disk(own, inside), files=4, unseen=0
    )
    assert list(found.shared.values()) == [Links(on_disk(outside), total=2, seen=1)]


def test_two_folders_together_can_free_what_neither_frees_alone(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    file = fill(one / "file", 8 * BLOCK)
    two.mkdir()
    (two / "file").hardlink_to(file)
    alone = [measure(str(each)) for each in (one, two)]
    assert [each.usage.freed for each in alone] == [on_disk(one), on_disk(two)]
    everything = on_disk(one, two, file)
    assert combine(alone) == Usage(size=everything, freed=everything, files=2, unseen=0)


def test_what_a_third_holds_is_not_freed_by_two(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    file = fill(tmp_path / "cache", 8 * BLOCK)
    for each in folders:
        each.mkdir()
        (each / "file").hardlink_to(file)
    found = combine([measure(str(each)) for each in folders])
    assert (found.size, found.freed) == (on_disk(*folders, file), on_disk(*folders))


def test_a_folder_counts_once_however_often_it_is_named(folder: Path) -> None:
    fill(folder / "inner/file")
    sibling = Path(f"{folder}2")
    fill(sibling / "file")
    whole, inner, beside = (measure(str(path)) for path in (folder, folder / "inner", sibling))
    assert combine([inner, whole, whole]) == whole.usage
    assert combine([beside, whole]).files == 2
    assert combine([]) == Usage()


@pytest.mark.parametrize("same", [True, False], ids=["one file system", "two"])
def test_equal_inodes_of_two_file_systems_are_two_files(*, same: bool) -> None:
    one = Measurement("/a", device=1, size=10, files=1, shared={7: Links(10, total=2, seen=1)})
    two = Measurement("/b", device=1 if same else 2, size=10, files=1, shared={7: Links(10, total=2, seen=1)})
    assert combine([one, two]) == (Usage(10, 10, 2) if same else Usage(20, 0, 2))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(str, id="nothing"),
        pytest.param(fill, id="a file"),
        pytest.param(lambda path: path.symlink_to("/usr"), id="a link to a folder"),
        pytest.param(os.mkfifo, id="a pipe"),
    ],
)
def test_what_is_no_folder_cannot_be_seen(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "it")
    assert measure(str(tmp_path / "it")).usage == Usage(unseen=1)


def test_a_path_that_is_none_cannot_be_seen() -> None:
    assert measure("/\0").usage == Usage(unseen=1)


def test_names_may_be_any_bytes(folder: Path) -> None:
    inner = os.fsencode(folder) + b"/\xff\n"
    os.mkdir(inner)
    with open(inner + b"/caf\xe9", "wb") as stream:
        stream.write(b"x")
    found = measure(str(folder)).usage
    assert (found.files, found.unseen) == (1, 0)


def test_a_tree_is_followed_deeper_than_python_calls_itself(folder: Path) -> None:
    deepest = os.path.join(folder, *["d"] * 1500)
    subprocess.run(["mkdir", "-p", deepest], check=True)
    Path(deepest, "file").touch()
    found = measure(str(folder)).usage
    subprocess.run(["rm", "-r", folder], check=True)  # Python cannot
    assert (found.files, found.unseen) == (1, 0)


def test_what_is_too_deep_for_a_path_is_told(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=descriptor)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    found = measure(str(folder)).usage
    subprocess.run(["rm", "-r", folder], check=True)
    assert (found.files, found.unseen) == (0, 1)


def test_what_may_not_be_read_is_told(folder: Path) -> None:
    fill(folder / "closed/file")
    fill(folder / "listed/file")
    (folder / "closed").chmod(0)
    (folder / "listed").chmod(0o400)
    done = checkouts.child(MEASURE, folder, cwd=folder, prefix=unprivileged())
    (folder / "closed").chmod(0o700)
    (folder / "listed").chmod(0o700)
    size = on_disk(folder, folder / "closed", folder / "listed")
    assert checkouts.output(done).strip() == str(Usage(size=size, freed=size, files=0, unseen=2))


def test_another_file_system_is_not_entered(folder: Path) -> None:
    prefix = checkouts.own_mounts()
    (folder / "mount").mkdir()
    fill(folder / "file")
    script = 'mount -t tmpfs none "$0/mount" && touch "$0/mount/a" "$0/mount/b" && exec "$@"'
    done = commands.run(
        *prefix, "sh", "-c", script, folder, commands.SCRIPTS / "python", "-c", MEASURE, folder, cwd=folder
    )
    size = on_disk(folder, folder / "file")
    assert checkouts.output(done).strip() == str(Usage(size=size, freed=size, files=1, unseen=1))


# Several at a time


def test_several_are_measured_and_each_is_told_when_it_is_done(tmp_path: Path) -> None:
    folders = [str(tmp_path / str(number)) for number in range(20)]
    for each in folders[:-1]:
        fill(Path(each, "file"))
    told: list[str] = []
    found = measure_all([*folders, *folders], progress=told.append)
    assert sorted(told) == sorted(folders)
    assert found == {each: measure(each) for each in folders}
    assert list(found) == folders
    assert [each.unseen for each in found.values()] == [0] * 19 + [1]


def test_nothing_is_measured_in_no_time() -> None:
    assert measure_all([]) == {}


def test_a_mount_that_hangs_is_not_seen_and_hides_no_other(tmp_path: Path) -> None:
    mount = tmp_path / "share"
    mount.mkdir()
    fill(tmp_path / "well/file")
    script = (
        "import sys; from prime_uve.core.usage import measure_all\n"
        "for folder, found in measure_all(sys.argv[1:], timeout=0.5).items(): print(folder, found.files, found.unseen)"
    )
    hung = [str(mount / str(number)) for number in range(10)]
    done = checkouts.child(script, *hung, tmp_path / "well", cwd=tmp_path, prefix=hung_mount.prefix(mount))
    assert checkouts.output(done).splitlines() == [*(f"{folder} 0 1" for folder in hung), f"{tmp_path}/well 1 0"]


def test_tens_of_thousands_of_files_are_counted(folder: Path) -> None:
    subprocess.run(["sh", "-c", "seq 20000 | xargs touch"], cwd=folder, check=True)
    assert measure(str(folder)).usage.files == 20_000
