"""A disk that is full, at any byte: an error that says so, the old file, and no litter."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core import writers
from tests.faults import budget
from tests.faults.injection import Subject
from tests.faults.scenes import WRITES, Case, Scene

Setting = Callable[[Case], Scene]


@pytest.mark.parametrize("case", WRITES.values(), ids=WRITES.keys())
def test_no_file_may_grow_beyond_any_byte(subject: Subject, scene: Setting, case: Case) -> None:
    set_up = scene(case)
    needed = 0
    answer = subject.act(set_up, "size", nth=1 << 20)
    assert answer.is_done
    needed = max(path.stat().st_size for path in set_up.place.registry.iterdir())
    limits = budget.sample(f"size {case.act}", range(needed), 25)
    for limit in [*limits, needed - 1, needed]:
        set_up.reset()
        before = {path.name for path in set_up.place.registry.glob("*")} | {"cache.lock"}
        answer = subject.act(set_up, "size", nth=limit)
        happened = set_up.is_as_before() is False
        if limit < needed and not case.keeps:
            assert not happened, limit
            assert {path.name for path in set_up.place.registry.iterdir()} == before
            assert case.stamps or answer.said.startswith("could not write "), (limit, answer)
            assert case.stamps or answer.said.endswith(f"{set_up.place.cache.path}: File too large"), (limit, answer)
        assert answer.is_done or not happened, (limit, answer)
        set_up.check(f"{limit} bytes", acknowledged=answer.is_done and not case.stamps)
    assert answer.is_done


FILL = """
import errno, os
from pathlib import Path
from prime_uve.core.cache import Cache
from prime_uve.errors import CacheError
folder = Path.cwd()
cache = Cache(folder / "registry" / "cache.json")
names = [str(folder / "projects" / str(number)) for number in range(12)]
for name in names:
    cache.add_mapping(Path(name), "/v/x", "demo", "01234567")
with open("ballast", "ab", buffering=0) as ballast:
    try:
        while True:
            ballast.write(bytes(1024))
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
before = {entry.name: entry.read_bytes() for entry in cache.path.parent.iterdir()}
refusals = 0

def refused(act):
    try:
        act()
    except CacheError as error:
        assert str(error) == f"could not write {cache.path}: No space left on device", error
    else:
        return False
    assert {entry.name: entry.read_bytes() for entry in cache.path.parent.iterdir()} == before
    assert list(cache.list_all()) == names
    assert len(cache.validate_all()) == len(names)
    return True

for act in (cache.clear, cache.migrate_if_needed, lambda: cache.remove_mapping(Path(names[0]))):
    assert refused(act) == (act != cache.migrate_if_needed)
while refused(lambda: cache.add_mapping(folder, "/v/last", "demo", "01234567")):
    refusals += 1
    os.truncate("ballast", os.stat("ballast").st_size - 1024)
assert list(cache.list_all()) == [*names, str(folder)]
cache.clear()
assert cache.list_all() == {}
print(refusals)
"""


def in_a_mount(options: str, folder: Path, script: str) -> list[str]:
    """Return the command that runs a script in a folder where a tmpfs is mounted, for this command alone."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare")
    mount = f'mount -t tmpfs -o {options} none "$1" && cd "$1" && exec "$2" -c "$3"'
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    may = subprocess.run(
        [unshare, *user, "--mount", "sh", "-c", 'mount -t tmpfs none "$1"', "sh", folder],
        capture_output=True,
        check=False,
    )
    if may.returncode:
        pytest.skip("mounting is not allowed here, not even in a namespace")
    return [unshare, *user, "--mount", "sh", "-c", mount, "sh", str(folder), sys.executable, script]


@pytest.mark.parametrize("size", ["1m", "64k"])
def test_a_real_disk_that_is_full(tmp_path: Path, size: str) -> None:
    done = subprocess.run(
        in_a_mount(f"size={size}", tmp_path, FILL),
        env=os.environ | writers.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3


READ_ONLY = """
import os, subprocess
from pathlib import Path
from prime_uve.core.cache import Cache
from prime_uve.errors import CacheError
cache = Cache(Path("registry/cache.json").absolute())
project = Path("project").absolute()
cache.add_mapping(project, "/v/x", "demo", "01234567")
subprocess.run(["mount", "-o", "remount,ro", os.getcwd()], check=True)
assert cache.list_all().keys() == {str(project)}
assert cache.get_mapping(project)["venv_path"] == "/v/x"
assert cache.validate_all()[str(project)].status == "orphaned"
for act in (cache.clear, lambda: cache.remove_mapping(project)):
    try:
        act()
    except CacheError as error:
        print(error)
assert cache.list_all().keys() == {str(project)}
"""


def test_a_disk_that_became_read_only_can_be_read(tmp_path: Path) -> None:
    done = subprocess.run(
        in_a_mount("size=1m", tmp_path, READ_ONLY),
        env=os.environ | writers.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"could not lock {tmp_path}/registry/cache.lock: Read-only file system\n" * 2
