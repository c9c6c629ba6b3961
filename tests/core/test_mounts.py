"""Which mount does a path lie on? By text, and by the real table."""

import os
from pathlib import Path

import pytest

from prime_uve.core.mounts import MountTable, read_table
from tests.core.checkouts import child, output, own_mounts

TABLE = MountTable(["/", "/mnt", "/mnt/share", "/home/a b", "//odd"])


@pytest.mark.parametrize(
    ("path", "point"),
    [
        pytest.param("/", "/", id="the root"),
        pytest.param("/srv/x", "/", id="below the root"),
        pytest.param("/mnt", "/mnt", id="a mount point"),
        pytest.param("/mnt/x/y", "/mnt", id="below it"),
        pytest.param("/mnt/share/x", "/mnt/share", id="below the longest"),
        pytest.param("/mnt/shared", "/mnt", id="what begins like one"),
        pytest.param("/home/a b/c", "/home/a b", id="with a blank"),
        pytest.param("/home", "/", id="above one"),
        pytest.param("x/y", os.path.abspath(os.sep), id="a relative path"),
        pytest.param("", os.path.abspath(os.sep), id="nothing"),
        pytest.param("/" + "x/" * 50_000, "/", id="a very long path"),
        pytest.param("/mnt/\udcff\0", "/mnt", id="no possible path"),
    ],
)
def test_a_path_lies_on_the_longest_mount_point_that_holds_it(path: str, point: str) -> None:
    assert TABLE.point_of(path) == point
    assert TABLE.point_of(path) == point, "asked again"


def test_without_a_table_all_is_one_place(tmp_path: Path) -> None:
    assert MountTable([]).point_of(str(tmp_path)) == tmp_path.anchor


MOUNT = """
import os, subprocess, sys
from prime_uve.core.mounts import read_table
place = sys.argv[1]
before = read_table()
subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
after = read_table()
print(place in before, place in after, before.point_of(place) == before.point_of(os.path.dirname(place)))
print(after.point_of(os.path.join(place, "x")) == place)
"""


@pytest.mark.parametrize("name", ["plain", "two words", "back\\slash", "tab\tand\nfeed", "\\040", "#\udcff"])
def test_what_is_mounted_is_in_the_table_by_its_name(tmp_path: Path, name: str) -> None:
    prefix = own_mounts()
    place = tmp_path / name
    place.mkdir()
    assert output(child(MOUNT, place, cwd=tmp_path, prefix=prefix)) == "False True True\nTrue\n"


def test_the_root_is_mounted() -> None:
    assert read_table().point_of(os.path.abspath(os.sep)) == os.path.abspath(os.sep)


IDENTIFY = """
import os, subprocess, sys
from prime_uve.core.mounts import identity_of
places = sys.argv[1:]
for device, place in zip(("/dev/fake1", "/dev/link", "/dev/fake2", "server:/a b", "server:/c"), places):
    subprocess.run(["mount", "-t", "tmpfs", device, place], check=True)
subprocess.run(["mount", "-t", "tmpfs", "server:/d", places[-1]], check=True)  # over the other
subprocess.run(["mount", "-t", "tmpfs", "none", "/dev"], check=True)
print([identity_of(place) for place in places[:3]])
os.makedirs("/dev/disk/by-uuid")
for name in ("fake1", "fake2", "fake3"):
    open(f"/dev/{name}", "w").close()
os.symlink("fake3", "/dev/link")
os.symlink("../../fake1", "/dev/disk/by-uuid/1234-ABCD")
os.symlink("../../fake3", "/dev/disk/by-uuid/0a1b2c3d-0000")
print([identity_of(place) for place in [*places, "/not/mounted"]])
"""


def test_a_file_system_is_known_by_what_stays_the_same(tmp_path: Path) -> None:
    prefix = own_mounts()
    places = [tmp_path / name for name in ("disk", "mapped", "no uuid", "share", "two")]
    for place in places:
        place.mkdir()
    assert output(child(IDENTIFY, *places, cwd=tmp_path, prefix=prefix)).splitlines() == [
        "[None, None, None]",
        "['UUID=1234-ABCD', 'UUID=0a1b2c3d-0000', None, 'tmpfs server:/a b', 'tmpfs server:/d', None]",
    ]
