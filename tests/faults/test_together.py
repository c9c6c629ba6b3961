"""Many at once: no update is lost, and a process that stands still, dies or forks holds nobody up for ever."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from prime_uve.core.cache import Cache
from prime_uve.errors import CacheError
from tests.core import writers
from tests.faults import budget

PROCESSES, THREADS = 16, 8
ROUNDS = 40 if budget.IS_LONG else 5

# Each worker takes turns at everything, on rows of its own and on rows that all want. What it was told it writes down.
WORKER = """
import json, os, random, sys, threading
from pathlib import Path
from prime_uve.core.cache import Cache
path, projects, who, threads, rounds = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
log = []

def work(name):
    chance = random.Random(name)
    for number in range(int(rounds)):
        cache = Cache(path, lock_timeout=120)
        mine = projects / f"{name}-{number}"
        cache.add_mapping(mine, f"/v/{name}-{number}", "demo", "01234567")
        log.append(("added", mine.name, True))
        assert cache.get_mapping(mine)["venv_path"] == f"/v/{name}-{number}"
        contested = projects / f"contested-{chance.randrange(8)}"
        if chance.random() < 0.5:
            cache.edit(lambda rows: rows.setdefault(str(contested), {"venv_path": "/c", "adds": 0}))
            cache.edit(lambda rows: rows.get(str(contested), {}).update(seen=name))
        else:
            log.append(("taken", contested.name, cache.remove_mapping(contested)))
        if chance.random() < 0.3:
            cache.validate_mapping(mine)
        cache.edit(lambda rows: rows[str(projects / "counter")].update(
            count=rows[str(projects / "counter")]["count"] + 1))
        if number % 2:
            log.append(("removed", mine.name, cache.remove_mapping(mine)))

workers = [threading.Thread(target=work, args=(f"{who}.{number}",)) for number in range(int(threads))]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(json.dumps(log))
"""


def workers(path: Path, projects: Path, script: str, counts: dict[str, int]) -> list[list[list[Any]]]:
    """Run a script in several processes at once, each with some threads; return what each wrote down."""

    def run(who: str, threads: int) -> list[list[Any]]:
        done = subprocess.run(
            [sys.executable, "-c", script, str(path), str(projects), who, str(threads), str(ROUNDS)],
            env=os.environ | writers.ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        log: list[list[Any]] = json.loads(done.stdout)
        return log

    with ThreadPoolExecutor(len(counts)) as pool:
        return list(pool.map(run, counts.keys(), counts.values()))


def test_sixteen_processes_and_eight_threads_lose_no_update(tmp_path: Path) -> None:
    path, projects = tmp_path / "cache.json", tmp_path / "projects"
    projects.mkdir()
    cache = Cache(path)
    cache.edit(lambda rows: rows.update({str(projects / "counter"): {"venv_path": "/counter", "count": 0}}))
    counts = {f"p{number}": 1 for number in range(PROCESSES - 1)} | {"threads": THREADS}
    logs = workers(path, projects, WORKER, counts)

    told = Counter((what, name) for log in logs for what, name, result in log if result)
    rows = {Path(project).name: row for project, row in cache.list_all().items()}
    # The counter was read and written under one lock, each time.
    assert rows.pop("counter")["count"] == ROUNDS * (PROCESSES - 1 + THREADS)
    contested = {name for name in rows if name.startswith("contested")}
    added = {name for what, name in told if what == "added"}
    removed = {name for what, name in told if what == "removed"}
    assert len(added) == ROUNDS * (PROCESSES - 1 + THREADS)
    assert removed <= added
    assert rows.keys() - contested == added - removed
    assert all(rows[name]["venv_path"] == f"/v/{name}" for name in rows.keys() - contested)
    assert {entry.name for entry in tmp_path.iterdir()} - {"projects"} == {
        "cache.json",
        "cache.json.last-good",
        "cache.lock",
    }


CLEARER = """
import json, sys
from pathlib import Path
from prime_uve.core.cache import Cache
path, projects, who, _, rounds = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
cache, log = Cache(path, lock_timeout=120), []

def drain(rows):
    names = sorted(rows)
    rows.clear()
    return names

for number in range(int(rounds)):
    if who == "clear":
        log.append(("drained", cache.edit(drain), True))
    elif who == "validate":
        log.append(("validated", sorted(cache.validate_all()), True))
    else:
        project = projects / f"{who}-{number}"
        cache.add_mapping(project, "/v/x", "demo", "01234567")
        log.append(("added", [str(project)], True))
print(json.dumps(log))
"""


def test_what_a_clear_takes_and_what_is_left_is_what_was_added(tmp_path: Path) -> None:
    path, projects = tmp_path / "cache.json", tmp_path / "projects"
    projects.mkdir()
    logs = workers(path, projects, CLEARER, dict.fromkeys(["clear", "validate", *"abcdef"], 1))
    seen = {
        what: [n for log in logs for w, names, _ in log if w == what for n in names] for what in ("added", "drained")
    }
    left = list(Cache(path).list_all())
    # Each row went once, or is still there: a stamp never brings back what a clear took.
    assert sorted(seen["drained"] + left) == sorted(seen["added"])


HELD = """
import os, sys
from pathlib import Path
from prime_uve.core.cache import Cache
def stay(rows):
    rows["/half"] = {"venv_path": "/half"}
    print("held", flush=True)
    sys.stdin.readline()
Cache(Path(sys.argv[1])).edit(stay)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cache.json"
    Cache(path).add_mapping(tmp_path / "one", "/v/one", "demo", "01234567")
    return path


@pytest.fixture
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Return a process that holds the lock, in the middle of a change."""
    with subprocess.Popen(
        [sys.executable, "-c", HELD, str(path)],
        env=os.environ | writers.ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


WRITES: dict[str, Callable[[Cache, Path], object]] = {
    "an add": lambda cache, folder: cache.add_mapping(folder / "two", "/v/two", "demo", "01234567"),
    "a removal": lambda cache, folder: cache.remove_mapping(folder / "one"),
    "a clear": lambda cache, _: cache.clear(),
    "a migration": lambda cache, _: cache.migrate_if_needed(),
}


@pytest.mark.parametrize("is_stopped", [False, True], ids=["that works for long", "that is stopped"])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_write_gives_up_on_a_holder(
    path: Path, held: subprocess.Popen[str], write: Callable[[Cache, Path], object], *, is_stopped: bool
) -> None:
    if is_stopped:
        held.send_signal(signal.SIGSTOP)
    before = path.read_bytes()
    with pytest.raises(CacheError, match=rf"has held the lock {path.with_name('cache.lock')} for 0.05 s"):
        write(Cache(path, lock_timeout=0.05), path.parent)
    assert path.read_bytes() == before


@pytest.mark.parametrize("is_stopped", [False, True], ids=["that works for long", "that is stopped"])
def test_reading_and_validating_do_not_wait_for_a_holder(
    path: Path, held: subprocess.Popen[str], *, is_stopped: bool
) -> None:
    if is_stopped:
        held.send_signal(signal.SIGSTOP)
    cache = Cache(path, lock_timeout=0.05)
    project = path.with_name("one")
    assert list(cache.list_all()) == [str(project)]
    assert cache.get_mapping(project) is not None
    assert cache.validate_mapping(project).status == cache.validate_all()[str(project)].status == "orphaned"


def test_a_holder_that_is_killed_leaves_no_lock(path: Path, held: subprocess.Popen[str]) -> None:
    held.send_signal(signal.SIGSTOP)
    held.kill()
    held.wait()
    cache = Cache(path, lock_timeout=0)
    cache.add_mapping(path.with_name("two"), "/v/two", "demo", "01234567")
    assert cache.list_all().keys() == {str(path.with_name("one")), str(path.with_name("two"))}


def test_a_holder_that_goes_on_after_a_stop_has_its_effect(path: Path, held: subprocess.Popen[str]) -> None:
    held.send_signal(signal.SIGSTOP)
    with pytest.raises(CacheError):
        Cache(path, lock_timeout=0).clear()
    held.send_signal(signal.SIGCONT)
    held.communicate("\n", timeout=60)
    assert held.returncode == 0
    assert Cache(path).list_all().keys() == {str(path.with_name("one")), "/half"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=str)
def test_a_holder_that_gets_a_signal_changes_nothing_and_frees_the_lock(
    path: Path, held: subprocess.Popen[str], number: signal.Signals
) -> None:
    before = path.read_bytes()
    held.send_signal(number)
    held.wait(timeout=60)
    assert path.read_bytes() == before
    Cache(path, lock_timeout=0).clear()
    assert not list(path.parent.glob(".*.tmp"))


@pytest.mark.skipif(not budget.IS_LONG, reason="it waits for ten seconds: tox -e faults-long")
def test_the_default_is_to_wait_ten_seconds(path: Path, held: subprocess.Popen[str]) -> None:
    script = (
        "import sys; from pathlib import Path; from prime_uve.core.cache import Cache; Cache(Path(sys.argv[1])).clear()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        env=os.environ | writers.ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        _, said = waiting.communicate(timeout=60)
    assert f"has held the lock {path.with_name('cache.lock')} for 10 s" in said
    assert f"(pid {held.pid})" in said or "(pid" not in said


FORK = """
import os, sys
from pathlib import Path
from prime_uve.core.cache import Cache
path = Path(sys.argv[1])
cache = Cache(path)  # older than the forks
before = len(cache.list_all())

def fork_within(rows):
    rows["/parent"] = {"venv_path": "/parent"}
    pid = os.fork()
    if pid == 0:
        os.close(1)
        # It has inherited the descriptor of the lock, but not the right to write.
        try:
            Cache(path, lock_timeout=0).clear()
        except Exception as error:
            os._exit(0 if type(error).__name__ == "CacheError" else 1)
        os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    survivor = os.fork()
    if survivor == 0:
        os.close(1)
        os.read(0, 1)  # outlives the lock
        os._exit(0)
    return survivor

cache.edit(fork_within)
print(sorted(map(os.path.basename, cache.list_all())), flush=True)
Cache(path, lock_timeout=0).add_mapping(Path("/added"), "/v/added", "demo", "01234567")
print(len(cache.list_all()), flush=True)
"""


def test_a_child_that_was_forked_under_the_lock_neither_writes_nor_keeps_it(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FORK, str(path)],
        env=os.environ | writers.ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        out, _ = process.communicate("\n", timeout=60)
    assert out == "['one', 'parent']\n3\n"
    assert process.returncode == 0
