"""Is a project gone, or only out of reach? Over disks that are exchanged at one mount point."""

from pathlib import Path

import pytest

from tests.core.checkouts import child, output, own_mounts

EXCHANGED = """
import json, os, subprocess, sys
from pathlib import Path
from prime_uve.core.mounts import read_table
from prime_uve.core.validation.presence import look_at_project, witness
mount, first, second, below = sys.argv[1:]
project = os.path.join(mount, below)

def plug_in(disk):
    subprocess.run(["mount", "-t", "tmpfs", disk, mount], check=True)

def tell():
    sight = look_at_project(project, row, read_table())
    print(sight.presence.value, sight.trouble, sep="|")

plug_in(first)
os.makedirs(project)
row = witness(project)
print(json.dumps(row))
tell()
os.rmdir(project)
tell()
subprocess.run(["umount", mount], check=True)
plug_in(second)
assert os.stat(os.path.dirname(project)).st_ino == row["parent_inode"]
tell()
"""


ANOTHER = "'{mount}' is not the file system that was mounted there, which is 'tmpfs server:/one'; mount it, or, "
NOBODY_KNOWS = "nothing tells '{mount}' from another disk that is mounted there; mount it, or, "


@pytest.mark.parametrize(
    ("first", "second", "removed", "exchanged"),
    [
        pytest.param("server:/one", "server:/other one", "", ANOTHER, id="another share"),
        pytest.param("server:/one", "server:/one", "", "", id="the same share, without the project"),
        pytest.param("/dev/first", "/dev/second", NOBODY_KNOWS, NOBODY_KNOWS, id="disks of which nothing is known"),
    ],
)
def test_another_disk_at_the_same_place_does_not_say_that_a_project_is_gone(
    tmp_path: Path, first: str, second: str, removed: str, exchanged: str
) -> None:
    prefix = own_mounts()
    told = output(child(EXCHANGED, tmp_path, first, second, "demo", cwd=Path("/"), prefix=prefix)).splitlines()
    row, here, *after = told
    assert ('"file_system": "tmpfs server:/one"' in row) == (not first.startswith("/dev"))
    assert here == "here|"
    for line, trouble in zip(after, (removed, exchanged), strict=True):
        reason = trouble.format(mount=tmp_path)
        assert line.startswith(f"unknown|'{tmp_path}/demo' is out of reach: {reason}" if trouble else "gone|")
