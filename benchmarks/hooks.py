"""What a hook costs beside a bare interpreter, medians of paired runs: ``python benchmarks/hooks.py``."""

import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from prime_uve.core.cache import Cache, new_row

PAIRS = 60
MAPPINGS = 1000
VALUE = "${HOME}/prime-uve/venvs/demo_0a1b2c3d"
SCRIPT = os.path.join(sysconfig.get_path("scripts"), "prime-uve-hook")
AS_SCRIPT = [SCRIPT]
AS_MODULE = [sys.executable, "-c", "import sys; from prime_uve.hook import program; program()"]
BARE = [sys.executable, "-c", "pass"]
PRE_COMMIT = ["pre-commit"]
POST_CHECKOUT = ["post-checkout", "0" * 40, "1" * 40, "1"]


def rows() -> list[tuple[str, float, float]]:
    """Return what is measured, the goal, and the value; both are times of a bare ``python -c pass``."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRIME_UVE_"))}
        environ |= {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        for name in ("CI", "PYTHONDONTWRITEBYTECODE"):  # each run would compile all modules
            environ.pop(name, None)
        registered, plain = _repository(home / "registered", environ, VALUE), _repository(home / "plain", environ, "")
        _register(registered, home)
        cases = [
            ("pre-commit, clean, 1,000 mappings", 2.0, registered, PRE_COMMIT),
            ("post-checkout, nothing of ours", 1.3, plain, POST_CHECKOUT),
        ]
        return [
            (f"{what}, {how}", goal, ratio([*program, *args], BARE, repository, environ))
            for what, goal, repository, args in cases
            for how, program in (("console script", AS_SCRIPT), ("python -c", AS_MODULE))
        ]


def ratio(command: Sequence[str], other: Sequence[str], cwd: Path, environ: dict[str, str]) -> float:
    """Return how much longer `command` takes than `other`: the median of the ratios of runs one after the other."""
    for argv in (command, other):
        _seconds(argv, cwd, environ)
    pairs = [(_seconds(command, cwd, environ), _seconds(other, cwd, environ)) for _ in range(PAIRS)]
    return statistics.median(one / two for one, two in pairs)


def _seconds(argv: Sequence[str], cwd: Path, environ: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(argv, cwd=cwd, env=environ, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - begin


def _repository(folder: Path, environ: dict[str, str], value: str) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "0.1.0"\n')
    if value:
        (folder / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={value}\n")
    author = ["-c", "user.name=A", "-c", "user.email=a@example.invalid"]
    commit = [*author, "commit", "--quiet", "--message", "A project"]
    for args in (["init", "--quiet", "--initial-branch=main"], ["add", "."], commit):
        subprocess.run(["git", *args], cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
    return folder


def _register(project: Path, home: Path) -> None:
    mappings = {str(project): VALUE} | {
        str(home / f"projects/p{number}"): f"${{HOME}}/prime-uve/venvs/p{number}_0" for number in range(MAPPINGS - 1)
    }
    found = {place: new_row(place, value, "demo", "0" * 8) for place, value in mappings.items()}
    Cache(home / ".prime-uve/cache.json").edit(lambda present: present.update(found))


def main() -> None:
    """Print the table."""
    for measure, goal, value in rows():
        print(f"{measure:<60} at most {goal:.1f} x   {value:.2f} x")


if __name__ == "__main__":
    main()
