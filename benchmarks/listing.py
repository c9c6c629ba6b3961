"""What a listing costs, in paired runs in a temporary home: ``python benchmarks/listing.py``.

First `prime-uve list` of 1,000 checkouts beside `prime-uve --version`, as whole processes. Then 10,000 environments
beside the least that it could take, in one process: reading the registry, and for each environment one `stat`, one
`open` and one `read`, by the functions of that name (``os``), or by what anybody would write (``open().read()``).
"""

import json
import os
import statistics
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from prime_uve.cli import main as cli
from prime_uve.core.cache import Cache, new_row

RUNS = 15
COMMAND = os.path.join(sysconfig.get_path("scripts"), "prime-uve")
CONFIGURATION = """\
home = /usr/bin
implementation = CPython
uv = 0.13.9
version_info = 3.12.3
include-system-site-packages = false
prompt = demo
"""


def milliseconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


def rows() -> list[tuple[str, float, float]]:
    """Return what goes into the table of all measures: name, goal (at most), and value, a ratio."""
    before = os.environ.get("HOME", "")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = str(Path(folder).resolve())
        try:
            fill(Path.home(), 1000)
            run("list")
            pairs = [(milliseconds(lambda: run("list")), milliseconds(lambda: run("--version"))) for _ in range(RUNS)]
        finally:
            os.environ["HOME"] = before
    ratio = statistics.median(one / two for one, two in pairs)
    return [("prime-uve list of 1,000 mappings, against prime-uve --version", 2.0, ratio)]


def compared(name: str, action: Callable[[], object], other: str, reference: Callable[[], object]) -> None:
    """Print the medians of two actions that take turns, and of their ratios."""
    action()
    reference()
    pairs = [(milliseconds(action), milliseconds(reference)) for _ in range(RUNS)]
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(one / two for one, two in pairs)
    print(f"{name:34} {ours:7.1f} ms    {other:28} {theirs:7.1f} ms    {ratio:.2f} x")


def fill(home: Path, size: int) -> None:
    """Make checkouts with env files and environments, all of them valid, and register them."""
    rows = {}
    for number in range(size):
        project, environment = home / f"projects/p{number}", home / f"prime-uve/venvs/p{number}_0"
        for folder in (project / ".git", environment):
            folder.mkdir(parents=True)
        value = f"${{HOME}}/prime-uve/venvs/p{number}_0"
        (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={value}\n")
        (environment / "pyvenv.cfg").write_text(CONFIGURATION)
        (environment / ".prime-uve.json").write_text(json.dumps({"version": "1.0", "project": str(project)}) + "\n")
        rows[str(project)] = new_row(str(project), value, f"p{number}", "0" * 8)
    Cache().edit(lambda present: present.update(rows))


def run(*arguments: str) -> None:
    """Run the command with its output in a pipe."""
    subprocess.run([COMMAND, *arguments], check=True, stdout=subprocess.PIPE)


def listed(*arguments: str) -> None:
    """List in this process, into a file."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        cli.main(["list", *arguments])


def registered() -> list[str]:
    """Read the registry and return the environments in it."""
    return [row["venv_path_expanded"] for row in json.loads(Cache().path.read_bytes())["venvs"].values()]


def least_by_os() -> None:
    """Look at each environment by calls of the system alone."""
    for environment in registered():
        os.stat(environment)
        descriptor = os.open(f"{environment}/pyvenv.cfg", os.O_RDONLY | os.O_CLOEXEC)
        os.read(descriptor, 4096)
        os.close(descriptor)


def least_by_open() -> None:
    """Look at each environment by the means of the language."""
    for environment in registered():
        os.stat(environment)
        with open(f"{environment}/pyvenv.cfg", "rb") as stream:
            stream.read()


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = str(Path(folder).resolve())
        fill(Path.home(), 1000)
        print("1,000 checkouts, whole processes")
        compared("prime-uve list", lambda: run("list"), "prime-uve --version", lambda: run("--version"))
        compared(
            "prime-uve list --json", lambda: run("list", "--json"), "prime-uve --version", lambda: run("--version")
        )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = str(Path(folder).resolve())
        fill(Path.home(), 10_000)
        print("10,000 checkouts, in one process")
        compared("list", listed, "stat, open().read()", least_by_open)
        compared("list", listed, "os.stat, os.open, os.read", least_by_os)
        compared("list --json", lambda: listed("--json"), "stat, open().read()", least_by_open)


if __name__ == "__main__":
    main()
