"""The command group: help, versions, exit codes, and expected failures as one sentence."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from prime_uve.cli import main as door
from prime_uve.cli.main import COMMANDS, main
from tests import commands
from tests.commands import Run
from tests.core import writers


def test_the_version_is_the_one_of_the_package(run: Run, tmp_path: Path) -> None:
    done = run("prime-uve", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"prime-uve {version('prime-uve')}\n", "")


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(run: Run, tmp_path: Path, option: str) -> None:
    done = run("prime-uve", option, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    listed = done.stdout.partition("Commands:\n")[2]
    assert tuple(line.split()[0] for line in listed.splitlines()) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json_and_refuses_what_it_does_not_know(
    capsys: pytest.CaptureFixture[str], home: Path, command: str
) -> None:
    for option in ("--help", "-h"):
        assert main([command, option]) == 0
        said = capsys.readouterr()
        assert f"Usage: prime-uve {command}" in said.out
        assert "--json" in said.out
        assert said.err == ""
    assert main([command, "--frobnicate"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "No such option" in said.err
    assert "--frobnicate" in said.err
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param([], "Usage: prime-uve", id="nothing"),
        pytest.param(["frobnicate"], "No such command", id="a command that there is not"),
        pytest.param(["init", ".", "b"], "unexpected extra argument", id="one word too many"),
        pytest.param(["init", "--venv-dir"], "requires an argument", id="an option without its value"),
        pytest.param(["--json"], "No such option", id="an option in the wrong place"),
    ],
)
def test_wrong_usage_is_two(capsys: pytest.CaptureFixture[str], args: list[str], said: str) -> None:
    assert main(args) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert said in found.err


def test_without_an_argument_it_takes_the_words_of_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["prime-uve", "list", "--json"])
    assert main() == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in ("doctor", "hook", "list")])
def test_a_working_directory_that_is_gone_is_a_sentence(run: Run, tmp_path: Path, command: str) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    script = 'rmdir ../gone && exec "$0" "$@"'
    for options in ([], ["--json"]):
        folder.mkdir(exist_ok=True)
        done = run("/bin/sh", "-c", script, commands.SCRIPTS / "prime-uve", command, *options, cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "prime-uve: the working directory is gone (No such file or directory); go elsewhere: cd\n"
        )


def test_no_home_is_a_sentence(run: Run, project: Path) -> None:
    done = run("prime-uve", "init", cwd=project, env={"HOME": "/dev/null"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "/dev/null/.prime-uve" in done.stderr


def test_an_expected_failure_is_one_sentence_and_nothing_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("init", "register", "check"):
        assert main([command, str(tmp_path), "--json"]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("prime-uve: there is no ")
        assert said.err.count("\n") == 1


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(_sentence: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(door, "warn", broken)
    with pytest.raises(ZeroDivisionError):
        main(["init", str(tmp_path)])


def test_an_interrupt_is_130_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A signal to a process meets it anywhere, in the measuring of its coverage, too.
    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("prime_uve.cli.options.working_directory", interrupted)
    assert main(["init", "here"]) == 130
    assert capsys.readouterr().err.strip() == "prime-uve: interrupted; nothing more was done"


def test_a_command_loads_no_other_command_and_tables_only_to_draw_them(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path += sys.argv.pop().split(':')\n"
        "from prime_uve.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "print(*sys.modules, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    path = ":".join(entry for entry in sys.path if entry)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, "list", path],
        cwd=tmp_path, env=variables | writers.ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.split())
    assert "prime_uve.cli.list" in loaded
    assert loaded.isdisjoint({"rich", *(f"prime_uve.cli.{name}" for name in COMMANDS if name != "list")})
