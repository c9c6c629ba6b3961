"""The registry beside the published one: adding, adding from many processes, validating, importing, and its weight."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from paired import Command, measure
from rivals import ROOT, MissingError, ours, published
from scene import Scene, scene
from uv import find_uv_bin

from prime_uve.core.cache import Cache, new_row

Row = tuple[str, float | None, float | None, str]

ROUNDS = 7
PROCESSES, ADDS = 16, 50
DELAY = 5000  # microseconds
FILE_CALLS = "open,openat,stat,lstat,newfstatat,statx,access,faccessat,faccessat2,readlink,readlinkat,getdents64"
MEGABYTE = 1_000_000

HEAD = """
import statistics, sys, time
from pathlib import Path
from prime_uve.core.cache import Cache
path, name, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
cache = Cache(path)
def add(which):
    cache.add_mapping(Path(f"/srv/{name}-{which}"), f"${{HOME}}/prime-uve/venvs/{name}-{which}", "x", "0" * 8)
def seconds(action, *args):
    begin = time.perf_counter()
    action(*args)
    return time.perf_counter() - begin
"""
ADD = f"{HEAD}\nprint(statistics.median(seconds(add, which) for which in range(number)))\n"
ADD_TOGETHER = f"""{HEAD}
print("ready", flush=True)
sys.stdin.readline()
for which in range(number):
    add(which)
"""
VALIDATE = f"{HEAD}\nprint(min(seconds(cache.validate_all) for _ in range(number)))\n"
VALIDATE_ONE_BY_ONE = f"""{HEAD}
projects = list(map(Path, cache.list_all()))[:number]
print(sum(seconds(cache.validate_mapping, project) for project in projects))
"""


def rows() -> list[Row]:
    """Return the measures of the registry: name, goal (at most), value, unit."""
    with scene() as here:
        return [*_adding(here), *_together(here), *_validating(here), *_delayed(here), *_importing(here), _weight(here)]


def _asked(python: Path | str, script: str, *args: object, before: Sequence[str] = ()) -> float:
    command = [*before, str(python), "-c", script, *map(str, args)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def _pair(here: Scene) -> tuple[Path, Path] | None:
    """Return the Pythons that have ours and the published one; ``None`` where the latter is not to be had."""
    try:
        return ours(here.folder) / "python", published(here.folder) / "python"
    except MissingError as error:
        print(error, file=sys.stderr)
        return None


def _adding(here: Scene) -> list[Row]:
    pythons = _pair(here)
    if pythons is None:
        return [("add_mapping at 1,000, durable, against the published one", 1.0, None, "x")]
    full = here.registry(1000)
    ratios = []
    for number in range(ROUNDS):
        taken = []
        for python in pythons:
            registry = Path(shutil.copy(full, here.folder / "adding.json"))
            taken.append(_asked(python, ADD, registry, f"n{number}", 20))
        ratios.append(taken[0] / taken[1])
    return [("add_mapping at 1,000, durable, against the published one", 1.0, statistics.median(ratios), "x")]


def _together(here: Scene) -> list[Row]:
    """Let many processes add; what the published one loses is no throughput, so the time is that of a kept mapping."""
    what = f"{PROCESSES} processes adding {ADDS} each"
    pythons = _pair(here) or (Path(sys.executable),)
    lost, each = [], []
    for number, python in enumerate(pythons):
        folder = here.folder / f"together-{number}"
        folder.mkdir()
        runs = [_add_together(python, folder / f"{run}.json") for run in range(3)]
        lost.append(max(PROCESSES * ADDS - kept for kept, _ in runs))
        each.append(statistics.median(seconds / kept for kept, seconds in runs))
    return [
        (f"{what}: lost", 0, lost[0], "mappings"),
        *((f"{what}: lost by the published one", None, many, "mappings") for many in lost[1:]),
        (f"{what}: time of each that is kept", None, each[0] * 1000, "ms"),
        (f"{what}: the same, against the published one", 1.0, each[0] / each[1] if each[1:] else None, "x"),
    ]


def _add_together(python: Path, registry: Path) -> tuple[int, float]:
    """Return how many mappings are there afterwards, and the seconds from the word to go."""
    started = [
        subprocess.Popen(
            [python, "-c", ADD_TOGETHER, registry, f"n{number}", str(ADDS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for number in range(PROCESSES)
    ]  # fmt: skip
    for process in started:
        if process.stdout is not None:
            process.stdout.readline()
    begin = time.perf_counter()
    for process in started:
        if process.stdin is not None:
            process.stdin.write("go\n")
            process.stdin.flush()
    for process in started:
        process.wait()
    taken = time.perf_counter() - begin
    for process in started:
        process.communicate()
    return len(Cache(registry).list_all()), taken


def _valid(here: Scene, size: int) -> Path:
    """Make a registry of so many projects with env files and environments, all of them there."""
    rows = {}
    for number in range(size):
        project, environment = here.home / f"valid/p{number}", here.home / f"prime-uve/venvs/p{number}_0"
        for folder in (project, environment):
            folder.mkdir(parents=True, exist_ok=True)
        value = f"${{HOME}}/prime-uve/venvs/p{number}_0"
        (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={value}\n")
        rows[str(project)] = new_row(str(project), value, f"p{number}", "0" * 8)
    path = here.folder / f"valid-{size}.json"
    Cache(path).edit(lambda present: present.update(rows))
    return path


def _validating(here: Scene) -> list[Row]:
    small, large = _valid(here, 1000), _valid(here, 3000)
    pairs = [[_asked(sys.executable, VALIDATE, path, "-", 2) for path in (small, large)] for _ in range(ROUNDS)]
    taken = statistics.median(one for one, _ in pairs)
    pythons = _pair(here)
    against = None
    if pythons is not None:
        own, theirs = (_asked(python, VALIDATE, small, "-", 1) for python in pythons)
        against = own / theirs
    return [
        ("validate_all, 1,000 mappings", None, taken * 1000, "ms"),
        ("validate_all, 1,000 mappings, against the published one", 0.01, against, "x"),
        ("validate_all, 3,000 mappings, against 1,000", 3.5, statistics.median(b / a for a, b in pairs), "x"),
    ]


def _delayed(here: Scene) -> list[Row]:
    """Delay each file-system call of every thread in the process by strace; one by one is measured with 30 mappings."""
    what = f"validate_all, 1,000 mappings, calls delayed by {DELAY / 1000:.0f} ms, against one by one"
    tracer = shutil.which("strace")
    injection = f"--inject={FILE_CALLS}:delay_enter={DELAY}"
    before = [str(tracer), "-f", "-qq", "-o", os.devnull, f"--trace={FILE_CALLS}", injection]
    registry = here.folder / "valid-1000.json"
    if tracer is None:
        return [(f"{what}: no strace", 0.1, None, "x")]
    try:
        all_of_them = _asked(sys.executable, VALIDATE, registry, "-", 1, before=before)
        thirty = _asked(sys.executable, VALIDATE_ONE_BY_ONE, registry, "-", 30, before=before)
    except subprocess.CalledProcessError as error:
        return [(f"{what}: strace failed with {error.returncode}", 0.1, None, "x")]
    return [(what, 0.1, all_of_them / (thirty * 1000 / 30), "x")]


def _importing(here: Scene) -> list[Row]:
    scripts = {"ours": "import prime_uve.core.cache", "theirs": "import filelock, dotenv, json"}
    times = measure({who: Command([sys.executable, "-c", s], here.env(), here.home) for who, s in scripts.items()}, 30)
    return [("import prime_uve.core.cache, against filelock, dotenv, json", 1.5, times.ratio("ours", "theirs"), "x")]


def _weight(here: Scene) -> Row:
    what = "the wheel, installed with its dependencies, without bytecode"
    folder = here.folder / "weight"
    command = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable, "--target", folder, ROOT]
    if subprocess.run(command, check=False).returncode != 0:
        return (f"{what}: it cannot be installed", 8, None, "MB")
    weight = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return (what, 8, weight / MEGABYTE, "MB")
