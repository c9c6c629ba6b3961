"""Measure everything, print one table and write ``build/benchmarks.json``: ``tox -e bench``, or `python benchmarks`.

A measure is named after its file on the command line, to be run alone: ``python benchmarks uve``.
"""

import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
FILES = ("uve", "hooks", "registry", "listing")  # those that are there
RESULT = HERE.parent / "build/benchmarks.json"


def main(names: Sequence[str]) -> int:
    """Run the named files, by default all."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each run would compile all modules
    found = []
    for name in names or FILES:
        if (HERE / f"{name}.py").exists():
            print(f"measuring: {name}", file=sys.stderr)
            found += [_row(*row) for row in import_module(name).rows()]
    print("\n".join(_table(found)))
    RESULT.parent.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.platform(), "processors": os.cpu_count()}
    RESULT.write_text(json.dumps({"machine": machine, "measures": found}, indent=2) + "\n")
    return 0


def _row(measure: str, goal: float | None, value: float | None, unit: str = "x") -> dict[str, object]:
    """Return a measure for the table; every goal is an "at most"."""
    verdict = "" if goal is None else "not measured" if value is None else "met" if value <= goal else "NOT MET"
    return {"measure": measure, "goal": goal, "value": value, "unit": unit, "verdict": verdict}


def _table(rows: Sequence[dict[str, object]]) -> Iterator[str]:
    yield f"{'measure':<78} {'at most':>8} {'value':>9}"
    for row in rows:
        goal = "" if row["goal"] is None else f"{row['goal']:g}"
        value = "" if row["value"] is None else f"{row['value']:.3f}"
        yield f"{row['measure']:<78} {goal:>8} {value:>9} {row['unit']:<9} {row['verdict']}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
