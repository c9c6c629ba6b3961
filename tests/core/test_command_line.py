"""What uv's arguments say of the project that is meant, and what of its env file uv is given for them."""

import re
from pathlib import Path

import pytest

from prime_uve.core.command_line import PROJECTLESS, VALUE_OPTIONS, CommandLine
from tests.commands import Run


@pytest.mark.parametrize(
    ("args", "command", "needs_project"),
    [
        pytest.param(["sync"], "sync", True, id="a command"),
        pytest.param(["--color", "never", "-v", "sync"], "sync", True, id="options before the command"),
        pytest.param(["run", "prog", "--help"], "run", True, id="a program that is asked for help"),
        pytest.param(["run", "prog", "--version"], "run", True, id="a program that is asked for its version"),
        pytest.param(["run", "-h"], "run", False, id="a command that is asked for help"),
        pytest.param(["sync", "--help"], "sync", False, id="a command that is asked for help at length"),
        pytest.param(["--version"], "", False, id="the version"),
        pytest.param(["-V"], "", False, id="the version in short"),
        pytest.param(["--"], "", False, id="two dashes"),
        pytest.param([], "", False, id="nothing"),
        *(pytest.param([name, "x"], name, False, id=name) for name in sorted(PROJECTLESS)),
    ],
)
def test_only_what_touches_a_project_needs_one(args: list[str], command: str, *, needs_project: bool) -> None:
    line = CommandLine(args)
    assert (line.command, line.needs_project) == (command, needs_project)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param(["venv"], True, id="no path"),
        pytest.param(["venv", "-p", "3.12", "--prompt", "x", "-c"], True, id="options with a value"),
        pytest.param(["venv", "-c", "here"], False, id="-c has no value here"),
        pytest.param(["venv", "--prompt=x", "here"], False, id="a path"),
        pytest.param(["venv", "--no-project"], False, id="no project"),
        pytest.param(["venv", "--help"], False, id="help"),
        pytest.param(["run", "venv"], False, id="a program of that name"),
    ],
)
def test_uv_venv_without_a_path_makes_the_default_environment(args: list[str], *, expected: bool) -> None:
    assert CommandLine(args).makes_default_environment is expected


@pytest.mark.parametrize(
    ("args", "name", "expected"),
    [
        pytest.param(["run", "x"], "LD_LIBRARY_PATH", True, id="a program of the project, a library"),
        pytest.param(["sync"], "LD_PRELOAD", True, id="uv runs the project's build code, a library"),
        pytest.param(["--version"], "LD_PRELOAD", False, id="the version, a library"),
        pytest.param(["sync", "--help"], "DYLD_INSERT_LIBRARIES", False, id="help, a library"),
        pytest.param(["--version"], "GREETING", True, id="the version, anything else"),
        pytest.param(["python", "find"], "GREETING", False, id="the account's Pythons, anything"),
        pytest.param(["pip", "list"], "GREETING", True, id="pip, anything"),
        pytest.param(["pip", "list"], "UV_SYSTEM_PYTHON", False, id="pip, another Python"),
        pytest.param(["sync"], "UV_PYTHON", True, id="the Python to make the environment with"),
    ],
)
def test_what_runs_no_code_of_the_project_takes_none_from_its_file(
    args: list[str], name: str, *, expected: bool
) -> None:
    assert CommandLine(args).takes(name) is expected


def test_the_options_with_a_value_are_those_of_the_installed_uv(run: Run, uv: Path, tmp_path: Path) -> None:
    option = re.compile(r" {2,6}(?:(-\w)(?:, )?)?(--[\w-]+)?(?:\.\.\.)?( <)?")
    for words in ([], ["run"], ["venv"], ["tool", "run"]):
        with_value: set[str] = set()
        without: set[str] = set()
        lines = run(uv, *words, "--help", cwd=tmp_path).stdout.splitlines()
        found = [match for match in map(option.match, lines) if match and (match[1] or match[2])]
        assert len(found) > 10
        for match in found:
            (with_value if match[3] else without).update(filter(None, match.groups()[:2]))
        assert with_value - VALUE_OPTIONS == set(), words
        assert without & VALUE_OPTIONS == ({"-c"} if words == ["venv"] else set()), words
