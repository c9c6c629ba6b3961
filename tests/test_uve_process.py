"""The process that ``uve`` becomes: what uv finds in it, and what a person at a terminal sees, is as without."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import commands
from tests.commands import Run
from tests.fake_uv import FakeUv
from tests.terminal import Terminal

LINE = "UV_PROJECT_ENVIRONMENT=${HOME}/prime-uve/venvs/demo_1\n"

# A parent that hands down all that a process can inherit, in a state that is not the usual one, and becomes a program.
ODD_PARENT = """\
import os, resource, signal, sys
os.umask(0o027)
os.nice(3)
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for name in ("SIGPIPE", "SIGXFSZ"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
for name in ("SIGINT", "SIGHUP", "SIGUSR1", "SIGTSTP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2, signal.SIGTERM})
for number, name in ((7, "seven"), (23, "twenty-three")):
    os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
os.lseek(7, 5, os.SEEK_SET)
os.lseek(0, 2, os.SEEK_SET)
os.setpgid(0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
# `cat` is what is looked at: a shell may change what it inherits, but hands it on.
LOOK = """\
#!/bin/sh
umask
pwd -P
ulimit -Sn; ulimit -Hn
for number in 0 1 2 3 4 5 6 7 8 9 23; do
    readlink /proc/self/fd/$number | sed 's/[0-9][0-9]*]/N]/' || echo none
done
grep pos /proc/self/fdinfo/7 /proc/self/fdinfo/0
cut -d' ' -f5-8,18-19 /proc/self/stat | sed "s/^$$ /itself /"
exec grep -E '^(Sig|Shd|Cap|NoNew|Seccomp|Uid|Gid|Groups|Cpus_allowed_list)' /proc/self/status
"""


@pytest.fixture
def ready(project: Path) -> Path:
    (project / ".env.uve").write_text(LINE)
    return project


@pytest.mark.skipif(not os.path.exists("/proc/self/fdinfo"), reason="only Linux tells all this")
def test_hands_on_all_that_it_has_inherited(ready: Path, tmp_path: Path, run: Run) -> None:
    run("uve", "sync", cwd=ready)
    (tmp_path / "uv").write_text(LOOK)
    (tmp_path / "uv").chmod(0o755)
    (tmp_path / "input").write_text("some input")
    (tmp_path / "seven").write_text("some content")

    def seen(program: Path) -> str:
        with (tmp_path / "input").open() as stream:
            done = subprocess.run(
                [sys.executable, "-S", "-c", ODD_PARENT, program, "--project", ready, "sync"],
                cwd=tmp_path,
                env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
                stdin=stream,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        assert "itself" in done.stdout, done.stderr
        return done.stdout

    as_uv = seen(tmp_path / "uv")
    assert f"{tmp_path}/seven" in as_uv
    assert "SigIgn" in as_uv
    assert seen(commands.SCRIPTS / "uve") == as_uv


LOCALES = [
    pytest.param({}, id="none"),
    pytest.param({"LANG": "C"}, id="LANG=C"),
    pytest.param({"LC_CTYPE": "C"}, id="LC_CTYPE=C"),
    pytest.param({"LC_CTYPE": "POSIX", "LANG": "C.UTF-8"}, id="LC_CTYPE=POSIX"),
    pytest.param({"LC_CTYPE": "C.UTF-8"}, id="LC_CTYPE=C.UTF-8"),
    pytest.param({"LC_ALL": "C"}, id="LC_ALL=C"),
    pytest.param({"LC_ALL": "xx_YY"}, id="one that is not there"),
    pytest.param({"LC_ALL": "POSIX", "PYTHONUTF8": "0"}, id="no UTF-8 mode"),
    pytest.param({"LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="no coercion either"),
]


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="only Linux tells what a process was given")
@pytest.mark.parametrize("locale", LOCALES)
def test_adds_nothing_to_the_environment_and_changes_no_byte_in_any_locale(
    ready: Path, fake_uv: FakeUv, home: Path, locale: dict[str, str]
) -> None:
    """Python sets ``LC_CTYPE`` for itself and what it starts, where the locale is C."""
    words = [b"run", b"\xff\xfe", "é".encode(), b"\x80" * 3, b""]
    given = {"HOME": str(home), "PATH": os.environ["PATH"], "ODD": os.fsdecode(b"\xe9\xff"), **locale}
    done = subprocess.run(
        [commands.SCRIPTS / "uve", *words], cwd=ready, env=given, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    call = fake_uv.call
    got = {os.fsencode(name): os.fsencode(value) for name, value in call.env.items()}
    assert [os.fsencode(word) for word in call.argv] == words
    environment = f"{home}/prime-uve/venvs/demo_1"
    expected = {**given, "UV_PROJECT_ENVIRONMENT": environment, "VIRTUAL_ENV": environment}
    assert got == {os.fsencode(name): os.fsencode(value) for name, value in expected.items()}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(("en_US", "ISO-8859-1"), 0, id="Latin 1"),
        pytest.param(("ja_JP", "EUC-JP"), 2, id="EUC-JP, of which Python cannot give back all that it reads"),
    ],
)
def test_a_locale_that_is_not_utf_8(ready: Path, tmp_path: Path, names: tuple[str, str], expected: int) -> None:
    source, charset = names
    locale = ".".join(names)
    localedef = shutil.which("localedef")
    if localedef is not None:
        commands.run(localedef, "-i", source, "-f", charset, tmp_path / locale, cwd=tmp_path)
    if not (tmp_path / locale).exists():
        pytest.skip("this locale cannot be made here")
    (tmp_path / "uv").write_text('#!/bin/sh\nprintf %s "$2"\n')
    (tmp_path / "uv").chmod(0o755)
    word = bytes(range(1, 256))
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    given = {"HOME": os.environ["HOME"], "PATH": path, "LC_ALL": locale, "LOCPATH": str(tmp_path)}
    done = subprocess.run(
        [commands.SCRIPTS / "uve", b"run", word], cwd=ready, env=given, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == expected, done.stderr
    if expected:
        assert done.stderr.endswith(b"use another: export LC_ALL=C.UTF-8\n")
    assert done.stdout == (b"" if expected else word)


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal with jobs is POSIX")
class TestAtATerminal:
    """The same session with uv and with uve, in a shell with job control."""

    @pytest.fixture
    def shell(self, local_package: Path, run: Run, home: Path) -> Iterator[Terminal]:
        bash = shutil.which("bash")
        if bash is None:
            pytest.skip("no bash, and other shells leave the terminal as a stopped program has set it")
        run("prime-uve", "init", "--sync", cwd=local_package, env={"UV_OFFLINE": "1"})
        (environment,) = (home / "prime-uve/venvs").iterdir()
        settings = {
            "PS1": "shell> ", "TERM": "dumb", "PYTHON_BASIC_REPL": "1", "UV_OFFLINE": "1",
            "UV_PROJECT_ENVIRONMENT": str(environment), "VIRTUAL_ENV": str(environment),
        }  # fmt: skip
        with Terminal(bash, "--norc", "--noprofile", "-i", cwd=local_package, env=settings) as terminal:
            terminal.wait_for("shell> ")
            yield terminal

    def session(self, shell: Terminal, program: str) -> list[str]:
        """Play the session, and return the exit statuses that the shell has seen."""
        statuses = []
        for end in ("exit(5)", "os.kill(os.getpid(), signal.SIGKILL)", "os.kill(os.getppid(), signal.SIGTERM)"):
            shell.type(f"{program} run python -q\n", answer=">>> ")
            pid = shell.type("import os, signal; print('pid', os.getpid(), 'end')\n", answer=">>> ")
            # Python overlooks a Ctrl-C right before it reads.
            shell.wait_until_asleep(int(pid.split("pid ")[-1].split()[0]))
            assert "KeyboardInterrupt" in shell.type("\x03", answer=">>> ")
            shell.type("\x1a", answer="shell> ")
            assert "topped" in shell.type("jobs\n", answer="shell> ")
            shell.type("fg\n", answer="python -q")
            assert "42" in shell.type("6 * 7\n", answer=">>> ")
            shell.type(f"{end}\n", answer="shell> ")
            statuses.append(shell.type("echo status=$?.\n", answer="shell> ").split("status=")[-1].split(".")[0])
        return statuses

    def test_ctrl_c_ctrl_z_and_signals_are_as_with_uv(self, shell: Terminal, uv: Path) -> None:
        as_uv = self.session(shell, str(uv))
        assert as_uv[0] == "5"
        assert self.session(shell, str(commands.SCRIPTS / "uve")) == as_uv
