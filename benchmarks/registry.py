"""How long the registry takes, medians of nine runs in a temporary home: ``python benchmarks/registry.py``."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from prime_uve.core.cache import Cache, new_row

RUNS = 9


def measured(action: Callable[[], object]) -> float:
    """Return the median time of an action, in milliseconds."""
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1000


def registry_of(home: Path, size: int) -> Cache:
    """Make `size` projects with env files and environments, all of them valid."""
    rows = {}
    for number in range(size):
        project, environment = home / f"projects/p{number}", home / f"prime-uve/venvs/p{number}_0"
        for folder in (project, environment):
            folder.mkdir(parents=True, exist_ok=True)
        value = f"${{HOME}}/prime-uve/venvs/p{number}_0"
        (project / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT={value}\n")
        rows[str(project)] = new_row(str(project), value, f"p{number}", "0" * 8)
    cache = Cache(home / f"{size}.json")
    cache.edit(lambda present: present.update(rows))
    return cache


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        os.environ["HOME"] = str(home)
        print(f"{'mappings':>8}  {'list_all':>9}  {'validate_all':>12}  {'add_mapping':>11}   (ms)")
        for size in (10, 1000, 3000, 10000):
            cache = registry_of(home, size)
            stamps = iter(range(RUNS))
            figures = (
                measured(cache.list_all),
                measured(cache.validate_all),
                measured(
                    lambda cache=cache, s=stamps: cache.add_mapping(home / f"n{next(s)}", "${HOME}/v", "n", "0" * 8)
                ),
            )
            print(f"{size:>8}  {figures[0]:>9.1f}  {figures[1]:>12.1f}  {figures[2]:>11.1f}")


if __name__ == "__main__":
    main()
