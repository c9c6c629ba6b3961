"""Prove from tox's own report that what should have been tested was tested.

tox skips a Python that it cannot find, and tox-uv reports every failure to make an environment as such a skip. So a
skip is believed only where that Python does not answer, and never of the Python that runs this.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OURS = f"{sys.version_info.major}.{sys.version_info.minor}"


def main(report: str) -> int:
    environments: dict[str, Any] = json.loads(Path(report).read_text(encoding="utf-8"))["testenvs"]
    # tox lists environments that it was not asked for, too; one that it was asked for and did not end makes tox fail.
    runs = {name: run for name, run in environments.items() if not name.startswith(".") and "result" in run}
    problems = list(find_problems(runs))
    for problem in problems:
        print(f"verify: {problem}", file=sys.stderr)
    totals = {name: summary for name, run in runs.items() if (summary := closing_line(run))}
    for name, summary in totals.items():
        print(f"{name}: {summary}")
    print(f"{sum(map(passed, totals.values()))} passed, {len(problems)} failed")
    return 1 if problems else 0


def find_problems(runs: dict[str, Any]) -> Iterator[str]:
    if OURS not in runs:
        yield f"no tox environment tests Python {OURS}, which runs this"
    for name, run in runs.items():
        result = run["result"]
        if result["skipped"]:
            if name == OURS or not is_version(name) or answers(name):
                yield f"tox skipped {name}, which is there"
        elif not result["success"]:
            yield f"{name} failed"
        elif is_version(name) and not passed(closing_line(run)):
            yield f"{name} ran no test"


def is_version(name: str) -> bool:
    return re.fullmatch(r"3\.\d+", name) is not None


def answers(version: str) -> bool:
    """Tell whether there is a ``python3.x``; ``PYENV_VERSION`` makes a shim of pyenv's answer for what it has."""
    try:
        return not subprocess.run(
            [f"python{version}", "--version"],
            env={**os.environ, "PYENV_VERSION": version},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode
    except FileNotFoundError:
        return False


def closing_line(run: dict[str, Any]) -> str:
    """Return what pytest said last in this environment, or nothing."""
    output = "".join(test["output"] for test in run.get("test", []))
    lines = re.findall(r"^=+ (.*\d+ (?:passed|failed|error).*) =+$", output, re.MULTILINE)
    return str(lines[-1]) if lines else ""


def passed(summary: str) -> int:
    found = re.search(r"(\d+) passed", summary)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
