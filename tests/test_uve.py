"""``uve``: uv itself, with the environment that the project's env file names."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_uve import uve
from prime_uve.core.command_line import PROJECTLESS
from prime_uve.core.paths import registry_path
from prime_uve.core.uv import find_uv
from prime_uve.errors import UvNotFoundError
from tests import commands
from tests.commands import Git, Run
from tests.core import writers
from tests.fake_uv import FakeUv
from tests.privileges import unprivileged

Start = Callable[[Path], object]

LINE = "UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo_1\n"


@pytest.fixture
def ready(project: Path) -> Path:
    """Return a project with an env file, not registered."""
    (project / ".env.uve").write_text(LINE)
    return project


@pytest.fixture
def cache(home: Path) -> Path:
    return home / ".prime-uve/cache.json"


def venv(name: str = "demo_1") -> str:
    """Return the environment of this name in the base."""
    return f"{os.environ['HOME']}/prime-uve/venvs/{name}"


def rows(cache: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(cache.read_bytes())["venvs"]
    return found


def stand_in(tmp_path: Path, script: str, *, mode: int = 0o755) -> dict[str, str]:
    """Make a ``uv`` of this text and return what puts it first on PATH."""
    folder = tmp_path / "stand-in"
    folder.mkdir()
    (folder / "uv").write_text(script)
    (folder / "uv").chmod(mode)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def in_fresh_interpreter(script: str, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in an interpreter that has loaded nothing: no site, no coverage."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return subprocess.run(
        [sys.executable, "-S", "-c", script, *args],
        cwd=cwd,
        env=variables | writers.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestWhatUvGets:
    def test_the_variables_of_the_file_and_nothing_else(self, run: Run, ready: Path, fake_uv: FakeUv) -> None:
        (ready / ".env.uve").write_text(f"{LINE}GREETING='a b'\nAGAIN=${{GREETING}}!\nHOME=/elsewhere\n")
        assert run("uve", "sync", cwd=ready).returncode == 0
        expected = {
            **os.environ,
            "UV_PROJECT_ENVIRONMENT": venv(),
            "VIRTUAL_ENV": venv(),
            "GREETING": "a b",
            "AGAIN": "a b!",
        }
        given = fake_uv.call.env
        assert {name: value for name, value in given.items() if expected.get(name) != value} == {}
        assert expected.keys() - given.keys() == set()

    def test_the_local_file_lies_over_the_committed_one(
        self, run: Run, ready: Path, fake_uv: FakeUv, tmp_path: Path
    ) -> None:
        (ready / ".env.uve").write_text(f"{LINE}A=theirs\nB=theirs\n")
        (ready / ".env.uve.local").write_text(f"UV_PROJECT_ENVIRONMENT={tmp_path}/any/place\nA=mine\n")
        assert run("uve", "sync", cwd=ready).returncode == 0
        env = fake_uv.call.env
        assert env["UV_PROJECT_ENVIRONMENT"] == env["VIRTUAL_ENV"] == f"{tmp_path}/any/place"
        assert (env["A"], env["B"]) == ("mine", "theirs")

    def test_the_file_goes_before_the_environment_and_one_line_says_so(
        self, run: Run, ready: Path, fake_uv: FakeUv
    ) -> None:
        run("uve", "sync", cwd=ready)
        left_over = {"UV_PROJECT_ENVIRONMENT": "/old/venv", "VIRTUAL_ENV": "/old/venv"}
        done = run("uve", "sync", cwd=ready, env=left_over)
        assert done.stderr.splitlines() == [
            f"uve: UV_PROJECT_ENVIRONMENT was '/old/venv'; the .env.uve of {str(ready)!r} goes before it"
        ]
        call = fake_uv.calls[-1]
        assert call.env["UV_PROJECT_ENVIRONMENT"] == call.env["VIRTUAL_ENV"] == venv()

    def test_nothing_is_said_where_the_environment_had_the_same_value(
        self, run: Run, ready: Path, fake_uv: FakeUv
    ) -> None:
        run("uve", "sync", cwd=ready)
        done = run("uve", "sync", cwd=ready, env={"UV_PROJECT_ENVIRONMENT": venv()})
        assert (done.stdout, done.stderr) == ("", "")
        assert len(fake_uv.calls) == 2

    @pytest.mark.parametrize(
        "args",
        [
            pytest.param(["run", "prog", "", " ", "a b", "", "-", "--"], id="empty words and blanks"),
            pytest.param(["run", "prog", "\udcff\udcfe", "é", "\U0001f600"], id="not UTF-8, and not ASCII"),
            pytest.param(["run", "prog", "$HOME", "*", "'", '"', "\\", "\n", "\x1b[31m"], id="what a shell would read"),
            pytest.param(["run", "prog", "x" * 100_000], id="100 kB"),
            pytest.param(["--", "sync"], id="two dashes first"),
            pytest.param([], id="nothing"),
        ],
    )
    def test_its_words_byte_for_byte(self, run: Run, ready: Path, fake_uv: FakeUv, args: list[str]) -> None:
        assert run("uve", *args, cwd=ready).returncode == 0
        assert fake_uv.call.argv == args

    def test_the_working_directory(self, run: Run, ready: Path, fake_uv: FakeUv) -> None:
        folder = ready / "src/deep"
        folder.mkdir(parents=True)
        assert run("uve", "--directory", ready, "sync", cwd=folder).returncode == 0
        assert fake_uv.call.cwd == str(folder)

    def test_stdin_and_stdout(self, run: Run, ready: Path, tmp_path: Path) -> None:
        path = stand_in(tmp_path, "#!/bin/sh\nexec cat\n")
        done = run("uve", "run", "cat", cwd=ready, env=path, stdin="a\0b\udcff\r\n")
        assert done.stdout == "a\0b\udcff\r\n".replace("\r\n", "\n")

    def test_the_process_of_uve(self, ready: Path, tmp_path: Path) -> None:
        with subprocess.Popen(
            [commands.SCRIPTS / "uve", "sync"],
            cwd=ready,
            env=os.environ | stand_in(tmp_path, "#!/bin/sh\necho $$\n"),
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert int(process.stdout.read()) == process.pid

    @pytest.mark.parametrize("name", ["PIPE", "XFSZ"])
    def test_signals_that_python_ignores_as_they_were(self, run: Run, ready: Path, tmp_path: Path, name: str) -> None:
        path = stand_in(tmp_path, f"#!/bin/sh\nulimit -c 0\nkill -{name} $$\necho it was ignored\n")
        done = run("uve", "sync", cwd=ready, env=path)
        assert (done.returncode, done.stdout) == (-signal.Signals[f"SIG{name}"], "")


class TestWhatUvLeaves:
    @pytest.mark.parametrize("status", [0, 1, 2, 255])
    def test_its_exit_status(self, run: Run, ready: Path, fake_uv: FakeUv, status: int) -> None:
        fake_uv.exits(status)
        assert run("uve", "sync", cwd=ready).returncode == status

    def test_its_death_by_a_signal(self, run: Run, ready: Path, tmp_path: Path) -> None:
        path = stand_in(tmp_path, "#!/bin/sh\nkill -KILL $$\n")
        assert run("uve", "sync", cwd=ready, env=path).returncode == -signal.SIGKILL


class TestWhichUv:
    def test_the_one_beside_the_interpreter_where_path_has_none(self, run: Run, ready: Path, tmp_path: Path) -> None:
        done = run("uve", "--version", cwd=ready, env={"PATH": str(tmp_path)})
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("uv ")

    def test_none_is_a_sentence(self, run: Run, ready: Path, tmp_path: Path, fake_uv: FakeUv) -> None:
        run("uve", "sync", cwd=ready)
        python = tmp_path / "bin/python"
        python.parent.mkdir()
        python.symlink_to(os.path.realpath(sys.executable))
        done = run(
            python, "-c", "from prime_uve.uve import main; raise SystemExit(main())", "sync",
            cwd=ready, env={"PATH": str(tmp_path), **writers.ENVIRONMENT},
        )  # fmt: skip
        assert done.returncode == 2
        assert len(fake_uv.calls) == 1
        assert done.stderr.splitlines()[-1] == "uve: uv is not on PATH; install it: pip install 'prime-uve[uv]'"

    @pytest.mark.parametrize(
        ("script", "trouble"),
        [
            pytest.param("#!/no/such/interpreter\n", "No such file or directory", id="its interpreter is missing"),
            pytest.param("\x7fELF neither\n", "Exec format error", id="it is no program"),
        ],
    )
    def test_one_that_cannot_be_started_is_a_sentence(
        self, run: Run, ready: Path, tmp_path: Path, script: str, trouble: str
    ) -> None:
        run("uve", "cache", cwd=ready)
        done = run("uve", "cache", cwd=ready, env=stand_in(tmp_path, script))
        assert done.returncode == 2
        assert done.stderr.splitlines() == [
            f"uve: cannot run '{tmp_path}/stand-in/uv': {trouble}; install uv anew: pip install 'prime-uve[uv]'"
        ]

    def test_one_without_the_right_to_be_executed_is_passed_over(
        self, run: Run, ready: Path, tmp_path: Path, fake_uv: FakeUv
    ) -> None:
        assert run("uve", "sync", cwd=ready, env=stand_in(tmp_path, "", mode=0o644)).returncode == 0
        assert fake_uv.call.argv == ["sync"]

    def test_a_folder_of_that_name_and_empty_entries_are_passed_over(self, tmp_path: Path, fake_uv: FakeUv) -> None:
        (tmp_path / "uv").mkdir()
        path = os.pathsep.join(["", str(tmp_path), str(fake_uv.path.parent)])
        assert find_uv({"PATH": path}) == str(fake_uv.path)

    def test_what_is_not_there_is_an_error_for_a_program_too(self, tmp_path: Path) -> None:
        with pytest.raises(UvNotFoundError, match=r"cannot run .*/nothing': No such file"):
            uve.execute(str(tmp_path / "nothing"), ["sync"], {})


def test_windows_gets_a_child_and_a_home(run: Run, ready: Path, tmp_path: Path, home: Path, fake_uv: FakeUv) -> None:
    """Windows cannot replace a process, and has no HOME: what is done about it is plain Python, and runs here, too."""
    run("uve", "sync", cwd=ready)
    shutil.copy(fake_uv.path, tmp_path / "uv.exe")
    fake_uv.exits(7)
    script = (
        "import signal, subprocess, sys\n"
        "from prime_uve.uve import main\n"
        "sys.platform = 'win32'\n"
        "code = main(sys.argv[1:])\n"
        "assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN\n"
        "sys.exit(code)\n"
    )
    done = run(
        sys.executable, "-c", script, "run", "prog", "a b",
        cwd=ready, env={"HOME": None, "USERPROFILE": str(home), "PATH": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (7, "")
    call = fake_uv.calls[-1]
    assert call.argv == ["run", "prog", "a b"]
    assert (call.env["HOME"], call.env["VIRTUAL_ENV"]) == (str(home), venv())


class TestWhichFile:
    @pytest.mark.parametrize(
        ("args", "variables", "named"),
        [
            pytest.param(["sync"], {}, "here", id="the working directory"),
            pytest.param(["--directory", "../there", "sync"], {}, "there", id="--directory before the command"),
            pytest.param(["sync", "--directory=../there"], {}, "there", id="--directory=X after the command"),
            pytest.param(["--project", "../there", "sync"], {}, "there", id="--project"),
            pytest.param(["run", "--project=../there", "x"], {}, "there", id="--project=X of run"),
            pytest.param(["sync"], {"UV_PROJECT": "../there"}, "there", id="UV_PROJECT"),
            pytest.param(["sync"], {"UV_WORKING_DIR": "../there"}, "there", id="UV_WORKING_DIR"),
            pytest.param(["sync"], {"UV_WORKING_DIRECTORY": "../there"}, "there", id="UV_WORKING_DIRECTORY"),
            pytest.param(["sync", "--project", "."], {"UV_PROJECT": "../there"}, "here", id="option over variable"),
            pytest.param(["--directory", "..", "--project", "there", "sync"], {}, "there", id="one joined to another"),
            pytest.param(["--directory", "../there/sub", "sync"], {}, "there", id="a subfolder"),
            pytest.param(["run", "x", "--directory", "../there"], {}, "here", id="an option of the program"),
            pytest.param(["run", "-", "--directory", "../there"], {}, "here", id="an option of a script from stdin"),
            pytest.param(["run", "--", "--directory", "../there"], {}, "here", id="words after two dashes"),
            pytest.param(["run", "--with", "x", "--project", "../there", "x"], {}, "there", id="after --with"),
            pytest.param(["run", "-qp", "3.13", "--project", "../there", "x"], {}, "there", id="after short ones"),
            pytest.param(["run", "-wflow", "x", "--project", "../there"], {}, "here", id="a value in one word with it"),
            pytest.param(["venv", "-c", "--project", "../there"], {}, "there", id="after -c without a value"),
            pytest.param(["--color", "never", "--project", "../there", "sync"], {}, "there", id="after --color"),
        ],
    )  # fmt: skip
    def test_is_the_one_of_the_project_that_uv_would_find(
        self, tmp_path: Path, args: list[str], variables: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("here", "there"):
            (tmp_path / name / "sub").mkdir(parents=True)
            (tmp_path / name / "pyproject.toml").touch()
            (tmp_path / name / ".env.uve").write_text(f"UV_PROJECT_ENVIRONMENT=${{HOME}}/prime-uve/venvs/{name}\n")
        monkeypatch.chdir(tmp_path / "here")
        environ = uve.prepare(args, {**os.environ, **variables})
        assert environ["UV_PROJECT_ENVIRONMENT"] == environ["VIRTUAL_ENV"] == venv(named)

    def test_a_workspace_member_is_governed_by_its_root(self, run: Run, ready: Path, fake_uv: FakeUv) -> None:
        with (ready / "pyproject.toml").open("a") as manifest:
            manifest.write('[tool.uv.workspace]\nmembers = ["packages/*"]\n')
        member = ready / "packages/one"
        member.mkdir(parents=True)
        (member / "pyproject.toml").touch()
        assert run("uve", "sync", cwd=member).returncode == 0
        assert fake_uv.call.env["VIRTUAL_ENV"] == venv()

    def test_a_project_reached_through_a_link_is_the_same_project(
        self, run: Run, ready: Path, fake_uv: FakeUv, cache: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "link").symlink_to(ready)
        for folder in (tmp_path / "link", ready):
            assert run("uve", "sync", cwd=folder).returncode == 0
        assert len(fake_uv.calls) == 2
        assert rows(cache).keys() == {str(ready)}


class TestNoFile:
    def test_is_the_hint_and_uv_is_not_run(self, run: Run, project: Path, fake_uv: FakeUv) -> None:
        done = run("uve", "sync", cwd=project)
        assert done.returncode == 2
        assert (
            done.stderr
            == f"uve: there is no .env.uve in {str(project)!r} or above it; write one: prime-uve init '{project}'\n"
        )
        assert fake_uv.calls == []

    def test_a_parent_that_is_another_project_is_not_taken(self, run: Run, ready: Path, fake_uv: FakeUv) -> None:
        inner = ready / "vendored"
        inner.mkdir()
        (inner / "pyproject.toml").touch()
        done = run("uve", "sync", cwd=inner)
        assert done.returncode == 2
        assert f"prime-uve init {str(inner)!r}" in done.stderr
        assert fake_uv.calls == []

    @pytest.mark.parametrize("content", ["", "# nothing\n", "OTHER=1\n"])
    def test_no_key_in_it_is_the_same(self, run: Run, project: Path, fake_uv: FakeUv, content: str) -> None:
        (project / ".env.uve").write_text(content)
        done = run("uve", "sync", cwd=project)
        assert done.returncode == 2
        assert done.stderr == (
            f"uve: the .env.uve of {str(project)!r} does not set UV_PROJECT_ENVIRONMENT; "
            f"add it: prime-uve init {str(project)!r}\n"
        )
        assert fake_uv.calls == []

    @pytest.mark.parametrize("word", ["--version", "-V", "--help", *sorted(PROJECTLESS)])
    def test_what_touches_no_project_runs_all_the_same(
        self, run: Run, project: Path, fake_uv: FakeUv, word: str
    ) -> None:
        done = run("uve", word, cwd=project)
        assert (done.returncode, done.stderr) == (0, "")
        assert "VIRTUAL_ENV" not in fake_uv.call.env

    def test_what_touches_no_project_runs_in_a_vendored_project(self, run: Run, ready: Path, fake_uv: FakeUv) -> None:
        inner = ready / "vendored"
        inner.mkdir()
        (inner / "pyproject.toml").touch()
        assert run("uve", "--version", cwd=inner).returncode == 0
        assert fake_uv.call.argv == ["--version"]

    @pytest.mark.parametrize(
        ("word", "expected"),
        [
            ("sync", (2, "uve: the working directory is gone (No such file or directory); go elsewhere: cd\n")),
            ("--version", (0, "")),
        ],
        ids=["a command that needs a project", "one that does not"],
    )
    def test_a_working_directory_that_is_gone(
        self, run: Run, ready: Path, tmp_path: Path, word: str, expected: tuple[int, str]
    ) -> None:
        (ready / "gone").mkdir()
        path = stand_in(tmp_path, "#!/usr/bin/env true\n")
        script = 'rmdir ../gone && exec "$0" "$1"'
        done = run("/bin/sh", "-c", script, commands.SCRIPTS / "uve", word, cwd=ready / "gone", env=path)
        assert (done.returncode, done.stderr) == expected


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_dead_link(path: Path) -> None:
    path.symlink_to("nowhere")


def content(data: bytes) -> Start:
    return lambda path: path.write_bytes(data)


SECRET = b"TOKEN=hunter2 hunter2\n"


class TestFileThatCannotBeUsed:
    @pytest.mark.parametrize(
        ("start", "said"),
        [
            pytest.param(a_folder, "/.env.uve'", id="a folder"),
            pytest.param(a_pipe, "is not a file", id="a pipe"),
            pytest.param(a_dead_link, "is a link that leads nowhere", id="a link to nothing"),
            pytest.param(content(b"A=1\nB=\xff\n"), "line 2: bytes that are not UTF-8", id="not UTF-8"),
            pytest.param(content(b"A=1\n" + SECRET + LINE.encode()), "line 2 (TOKEN): ", id="valid only in part"),
            pytest.param(content(LINE.encode() + SECRET), "line 2 (TOKEN): ", id="invalid below the key"),
            pytest.param(content(b"#" * (1 << 20) + LINE.encode()), "larger than 1 MiB", id="huge"),
            pytest.param(content(b"UV_PROJECT_ENVIRONMENT=\n"), "is empty", id="an empty path"),
            pytest.param(content(b"UV_PROJECT_ENVIRONMENT=venvs/x\n"), "is not absolute", id="a relative path"),
            pytest.param(content(LINE.encode().strip() + b"/../../x\n"), "goes through '..'", id="a path through .."),
            pytest.param(content(b"UV_PROJECT_ENVIRONMENT='${HOME}/x'\n"), "is not absolute", id="a literal ${HOME}"),
            pytest.param(content(b"UV_PROJECT_ENVIRONMENT=~/venvs/x\n"), "is not absolute", id="a tilde"),
            pytest.param(
                content(b"UV_PROJECT_ENVIRONMENT=/opt/x\n"),
                "is not inside '{home}/prime-uve/venvs'; to allow it on this machine, in .env.uve.local: "
                "prime-uve init --force --venv-dir '/opt/x' '{project}', or add its folder to PRIME_UVE_VENVS",
                id="a path outside of the base",
            ),
            pytest.param(content(b"UV_PROJECT_ENVIRONMENT=${HOME}\n"), "is not inside", id="the home"),
            pytest.param(
                content(b"UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/\n"), "is not inside", id="the base itself"
            ),
            pytest.param(
                content(b"UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs-2/x\n"), "is not inside", id="a sibling"
            ),
        ],
    )
    def test_is_one_sentence_and_uv_is_not_run(
        self, run: Run, project: Path, fake_uv: FakeUv, start: Start, said: str
    ) -> None:
        start(project / ".env.uve")
        done = run("uve", "sync", cwd=project)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("uve: ")
        assert said.format(home=os.environ["HOME"], project=project) in line
        assert str(project) in line
        assert "hunter2" not in line
        assert fake_uv.calls == []
        assert os.listdir(os.environ["HOME"]) == []

    def test_an_unreadable_one_is_a_sentence(self, run: Run, ready: Path, fake_uv: FakeUv) -> None:
        (ready / ".env.uve").chmod(0)
        done = run(*unprivileged(), commands.SCRIPTS / "uve", "sync", cwd=ready)
        assert done.returncode == 2
        assert done.stderr.startswith(f"uve: cannot read '{ready}/.env.uve': Permission denied")
        assert fake_uv.calls == []

    def test_a_link_out_of_the_base_is_no_way_out(self, run: Run, ready: Path, fake_uv: FakeUv, home: Path) -> None:
        (home / "prime-uve/venvs").mkdir(parents=True)
        (home / "prime-uve/venvs/demo_1").symlink_to("/opt")
        assert run("uve", "sync", cwd=ready).returncode == 2
        assert fake_uv.calls == []

    @pytest.mark.parametrize("name", ["", "venv", "../project"])
    def test_not_even_the_local_one_may_name_a_place_in_the_project(
        self, run: Run, ready: Path, fake_uv: FakeUv, name: str
    ) -> None:
        (ready / ".env.uve.local").write_text(f"UV_PROJECT_ENVIRONMENT={os.path.normpath(ready / name)}\n")
        done = run("uve", "sync", cwd=ready)
        assert done.returncode == 2
        assert ".env.uve.local' names an environment inside its own project" in done.stderr
        assert fake_uv.calls == []

    def test_bases_that_are_not_absolute_are_a_sentence(self, run: Run, ready: Path, fake_uv: FakeUv) -> None:
        done = run("uve", "sync", cwd=ready, env={"PRIME_UVE_VENVS": "venvs"})
        assert done.returncode == 2
        assert done.stderr == (
            "uve: PRIME_UVE_VENVS holds 'venvs', which is not an absolute path; correct it or unset it\n"
        )
        assert fake_uv.calls == []

    def test_a_base_of_the_variable_is_allowed(self, run: Run, project: Path, fake_uv: FakeUv, tmp_path: Path) -> None:
        (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${PRIME_UVE_VENVS}/x\n")
        assert run("uve", "sync", cwd=project, env={"PRIME_UVE_VENVS": f"{tmp_path}/big"}).returncode == 0
        assert fake_uv.call.env["VIRTUAL_ENV"] == f"{tmp_path}/big/x"


def not_a_registry(cache: Path) -> None:
    cache.parent.write_text("in the way")


def registry(data: bytes) -> Start:
    def start(cache: Path) -> None:
        cache.parent.mkdir()
        cache.write_bytes(data)

    return start


def registry_pipe(cache: Path) -> None:
    cache.parent.mkdir()
    os.mkfifo(cache)


class TestRegistering:
    def test_happens_at_the_first_call_and_once(self, run: Run, ready: Path, fake_uv: FakeUv, cache: Path) -> None:
        first = run("uve", "sync", cwd=ready)
        assert first.stderr.splitlines() == [f"uve: registered '{ready}' with '${{HOME}}/prime-uve/venvs/demo_1'"]
        assert rows(cache)[str(ready)]["venv_path"] == "${HOME}/prime-uve/venvs/demo_1"
        before = cache.stat()
        second = run("uve", "sync", cwd=ready)
        assert (second.stdout, second.stderr) == ("", "")
        assert (cache.stat().st_ino, cache.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert len(fake_uv.calls) == 2

    def test_takes_over_a_change_of_the_file_with_one_line(
        self, run: Run, ready: Path, fake_uv: FakeUv, cache: Path
    ) -> None:
        run("uve", "sync", cwd=ready)
        (ready / ".env.uve").write_text(LINE.replace("demo_1", "demo_2"))
        done = run("uve", "sync", cwd=ready)
        assert done.stderr == (
            f"uve: registered '{ready}' with '${{HOME}}/prime-uve/venvs/demo_2'; "
            "'${HOME}/prime-uve/venvs/demo_1' is now unused\n"
        )
        assert rows(cache)[str(ready)]["venv_path"] == "${HOME}/prime-uve/venvs/demo_2"
        assert fake_uv.calls[-1].env["VIRTUAL_ENV"].endswith("demo_2")

    def test_warns_a_checkout_that_shares_an_environment_with_another(
        self, run: Run, ready: Path, fake_uv: FakeUv, cache: Path, tmp_path: Path
    ) -> None:
        run("uve", "sync", cwd=ready)
        clone = Path(shutil.copytree(ready, tmp_path / "clone"))
        done = run("uve", "sync", cwd=clone)
        (line,) = done.stderr.splitlines()
        assert f"belongs to '{ready}', and '{clone}' names it, too" in line
        assert f"prime-uve init '{clone}'" in line
        assert len(fake_uv.calls) == 2
        assert rows(cache).keys() == {str(ready)}

    def test_follows_a_project_that_has_moved(
        self, run: Run, ready: Path, fake_uv: FakeUv, cache: Path, tmp_path: Path
    ) -> None:
        run("uve", "sync", cwd=ready)
        moved = ready.rename(tmp_path / "moved")
        done = run("uve", "sync", cwd=moved)
        assert done.stderr.startswith(f"uve: '{ready}' has moved to '{moved}'")
        assert rows(cache).keys() == {str(moved)}
        assert len(fake_uv.calls) == 2

    @pytest.mark.parametrize(
        ("start", "said"),
        [
            pytest.param(not_a_registry, "Not a directory", id="a file where its folder should be"),
            pytest.param(registry_pipe, "is not a regular file", id="a pipe"),
            pytest.param(registry(b'{"version": "9.0", "venvs": {}}'), "newer prime-uve", id="newer"),
            pytest.param(registry(b'{"version": "x", "venvs": {}}'), "does not know", id="of an unknown version"),
        ],
    )
    def test_is_given_up_with_one_line_where_the_registry_cannot_be_used(
        self, run: Run, ready: Path, fake_uv: FakeUv, start: Start, said: str
    ) -> None:
        cache = Path(registry_path())
        start(cache)
        before = cache.read_bytes() if cache.is_file() else None
        done = run("uve", "sync", cwd=ready)
        assert done.returncode == 0
        (line,) = done.stderr.splitlines()
        assert line.startswith("uve: not registered: ")
        assert said in line
        assert fake_uv.call.env["VIRTUAL_ENV"] == venv()
        assert (cache.read_bytes() if cache.is_file() else None) == before

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b'{"version": "1.0", "venvs": {"/a": {"venv_path": "/x"', id="cut off"),
            pytest.param(b"[1, 2]", id="of another program"),
            pytest.param(b"\xff\xfe\0garbage", id="garbage"),
        ],
    )
    def test_sets_a_damaged_registry_aside_and_works(
        self, run: Run, ready: Path, fake_uv: FakeUv, cache: Path, data: bytes
    ) -> None:
        registry(data)(cache)
        done = run("uve", "sync", cwd=ready)
        assert done.returncode == 0
        assert f"{cache} is damaged" in done.stderr
        assert "Traceback" not in done.stderr
        assert fake_uv.call.argv == ["sync"]
        assert str(ready) in rows(cache)
        assert data in {copy.read_bytes() for copy in cache.parent.glob("cache.json.damaged-*")}

    def test_is_given_up_where_the_home_cannot_be_written(
        self, run: Run, ready: Path, fake_uv: FakeUv, home: Path
    ) -> None:
        home.chmod(0o555)
        done = run(*unprivileged(), commands.SCRIPTS / "uve", "sync", cwd=ready)
        home.chmod(0o755)
        assert done.returncode == 0
        assert done.stderr == (f"uve: not registered: could not make the folder {home}/.prime-uve: Permission denied\n")
        assert fake_uv.call.argv == ["sync"]

    def test_is_given_up_where_another_process_holds_the_lock(self, ready: Path, fake_uv: FakeUv, cache: Path) -> None:
        impatient = (
            "from prime_uve.core.cache import Cache\n"
            "from prime_uve.uve import main\n"
            "assert Cache.__init__.__kwdefaults__['lock_timeout'] == 10\n"
            "Cache.__init__.__kwdefaults__['lock_timeout'] = 0.05\n"
            "raise SystemExit(main(['sync']))\n"
        )
        with writers.holder(cache):
            done = subprocess.run(
                [sys.executable, "-c", impatient], cwd=ready, capture_output=True, text=True, timeout=60, check=False
            )
        assert done.returncode == 0, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith("uve: not registered: another process")
        assert f"has held the lock {cache.with_suffix('.lock')} for 0.05 s" in line
        assert fake_uv.call.argv == ["sync"]

    def test_that_is_interrupted_ends_without_a_traceback(
        self, fake_uv: FakeUv, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        # A signal to a process meets it anywhere, in the measuring of its coverage, too.
        def interrupted() -> str:
            raise KeyboardInterrupt

        monkeypatch.setattr(uve, "working_directory", interrupted)
        assert uve.main(["sync"]) == 130
        assert capsys.readouterr().err == "uve: interrupted; uv was not run\n"
        assert fake_uv.calls == []


class TestPaths:
    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("a b", id="a blank"),
            pytest.param("it's", id="an apostrophe"),
            pytest.param('say "x"', id="quotes"),
            pytest.param("$HOME ${HOME}", id="a dollar"),
            pytest.param("two\nlines", id="a newline"),
            pytest.param("größe λ \U0001f600", id="not ASCII"),
            pytest.param("\udcff\udcfe", id="not UTF-8"),
            pytest.param("a\\b", id="a backslash"),
            pytest.param("-x", id="a dash"),
            pytest.param("#", id="a hash"),
        ],
    )
    def test_of_any_name_can_hold_a_project(
        self, run: Run, tmp_path: Path, fake_uv: FakeUv, cache: Path, name: str
    ) -> None:
        folder = tmp_path / name
        folder.mkdir()
        (folder / ".env.uve").write_text(LINE)
        assert run("uve", "sync", cwd=folder).stderr.count("\n") == 1
        before = cache.stat().st_ino
        assert run("uve", "--project", folder, "sync", cwd=tmp_path).stderr == ""
        assert [call.env["VIRTUAL_ENV"] for call in fake_uv.calls] == [venv()] * 2
        assert cache.stat().st_ino == before
        assert rows(cache).keys() == {str(folder)}

    @pytest.mark.parametrize("name", ["a b", "it's $HOME", "two\nlines", "größe"], ids=repr)
    def test_of_any_name_can_be_the_home(
        self, run: Run, ready: Path, tmp_path: Path, fake_uv: FakeUv, name: str
    ) -> None:
        home = tmp_path / name
        home.mkdir()
        assert run("uve", "sync", cwd=ready, env={"HOME": str(home)}).returncode == 0
        assert fake_uv.call.env["VIRTUAL_ENV"] == f"{home}/prime-uve/venvs/demo_1"
        assert rows(home / ".prime-uve/cache.json")[str(ready)]["venv_path"] == "${HOME}/prime-uve/venvs/demo_1"


class TestThePlainPath:
    def test_imports_nothing_that_a_bare_interpreter_has_not_loaded(
        self, run: Run, ready: Path, fake_uv: FakeUv
    ) -> None:
        Path(venv()).mkdir(parents=True)
        Path(venv(), "pyvenv.cfg").touch()
        for _ in range(2):
            run("uve", "sync", cwd=ready)
        bare = in_fresh_interpreter("import sys, os, _sitebuiltins; print(*sys.modules)", cwd=ready).stdout.split()
        script = (
            "import sys\n"
            "sys.addaudithook(lambda event, _: event == 'os.exec' and print(*sys.modules, flush=True))\n"
            "from prime_uve.uve import main\n"
            "raise SystemExit(main())\n"
        )
        done = in_fresh_interpreter(script, "sync", cwd=ready)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(fake_uv.calls) == 3
        loaded = set(done.stdout.split())
        assert "prime_uve.core.lookup" in loaded
        assert {name for name in loaded - set(bare) if name.partition(".")[0] != "prime_uve"} == set()
        assert loaded.isdisjoint({"json", "re", "pathlib", "typing", "subprocess", "enum", "signal"})

    def test_is_left_to_register(self, ready: Path, fake_uv: FakeUv, cache: Path) -> None:
        done = in_fresh_interpreter(
            "import sys\n"
            "sys.addaudithook(lambda event, _: event == 'os.exec' and print(*sys.modules, flush=True))\n"
            "sys.path += sys.argv.pop().split(':')\n"
            "from prime_uve.uve import main\n"
            "raise SystemExit(main())\n",
            "sync",
            ":".join(entry for entry in sys.path if entry),
            cwd=ready,
        )
        assert done.returncode == 0, done.stderr
        assert {"json", "filelock"} <= set(done.stdout.split())
        assert cache.exists()
        assert len(fake_uv.calls) == 1


def test_a_stderr_that_cannot_be_written_does_not_keep_uv_from_running(
    project: Path, fake_uv: FakeUv, run: Run
) -> None:
    (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/x\n")
    uve = str(commands.SCRIPTS / "uve")
    done = run("sh", "-c", f"exec '{uve}' sync 2>/dev/full", cwd=project, env={"UV_PROJECT_ENVIRONMENT": "/elsewhere"})
    assert done.returncode == 0
    assert fake_uv.call.argv == ["sync"]


def test_a_change_that_is_still_to_be_committed_is_used_but_left_to_the_commit_check(
    repo: Path, fake_uv: FakeUv, run: Run, git: Git
) -> None:
    (repo / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo_old\n")
    run("uve", "sync", cwd=repo)
    git(repo, "add", ".env.uve")
    git(repo, "commit", "--quiet", "--message", "Name an environment")
    (repo / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo_new\n")
    done = run("uve", "sync", cwd=repo)
    assert "demo_old" in done.stderr
    assert f"prime-uve register --accept '{repo}'" in done.stderr
    assert fake_uv.calls[-1].env["VIRTUAL_ENV"].endswith("demo_new")
    git(repo, "add", ".env.uve")
    assert run("prime-uve-hook", "pre-commit", cwd=repo).returncode == 1
    git(repo, "commit", "--quiet", "--message", "What a colleague committed")
    assert "is now unused" in run("uve", "sync", cwd=repo).stderr


@pytest.mark.parametrize("command", [["pip", "install", "x"], ["pip", "list"], ["--offline", "pip", "tree"]])
def test_pip_does_not_fall_back_on_another_environment(
    project: Path, fake_uv: FakeUv, run: Run, command: list[str]
) -> None:
    (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo_1\n")
    done = run("uve", *command, cwd=project)
    assert done.returncode == 2
    assert f"does not exist yet; make it: uve sync --project '{project}'" in done.stderr
    assert fake_uv.calls == []


@pytest.mark.parametrize(
    "command",
    [["pip", "compile", "x.in"], ["pip", "install", "--system", "x"], ["pip", "list", "-p", "3.12"], ["pip", "--help"]],
)
def test_pip_that_means_another_place_needs_no_environment(
    project: Path, fake_uv: FakeUv, run: Run, command: list[str]
) -> None:
    (project / ".env.uve").write_text("UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo_1\n")
    assert run("uve", *command, cwd=project).returncode == 0
    assert fake_uv.call.argv == command
