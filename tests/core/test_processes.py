"""Who uses an environment: real processes, with something of theirs in real folders."""

import _json
import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from prime_uve.core.processes import User, find_users, is_locked
from tests import hung_mount
from tests.commands import Environment
from tests.core import checkouts
from tests.privileges import unprivileged
from tests.test_imports import UNMEASURED
from tests.trees import tree

SHELL = "echo ready; read -r line"
WAIT = "print('ready', flush=True); import sys; sys.stdin.read()"

if sys.platform != "linux":
    pytest.skip("other systems tell less", allow_module_level=True)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return an environment with an interpreter that can be run."""
    path = tmp_path / "environments/demo"
    venv.create(path, symlinks=True, with_pip=False)
    return path.resolve()


@contextmanager
def waiting(
    *command: str | Path, cwd: Path = Path("/"), env: Environment | None = None, prefix: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """Run a command that says that it is ready, and then waits."""
    environment = {**os.environ, **(env or {})}
    with subprocess.Popen(
        [*prefix, *command],
        cwd=cwd,
        env={name: value for name, value in environment.items() if value is not None},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def users(environment: Path) -> dict[int | None, User]:
    return {user.pid: user for user in find_users([str(environment)]).get(str(environment), [])}


@pytest.mark.parametrize(
    ("command", "variables", "how"),
    [
        pytest.param(["{e}/bin/python", "-c", WAIT], {}, "runs from it", id="its interpreter"),
        pytest.param(["env", "-C", "{e}", "bin/python", "-c", WAIT], {}, "has its working directory in it", id="near"),
        pytest.param(["python", "-c", WAIT], {"PATH": "/nowhere:{e}/bin"}, "runs from it", id="found by PATH"),
        pytest.param(
            ["sh", "-c", f"cd {{e}}/bin; exec ./python -c \"import os; os.chdir('/'); {WAIT}\""],
            {}, "runs from it", id="near, and gone elsewhere",
        ),
        pytest.param(["{e}/bin/tool", "-c", SHELL], {}, "runs from it", id="a program of its own"),
        pytest.param(["{link}/bin/python", "-c", WAIT], {}, "runs from it", id="through a link"),
        pytest.param(["env", "-C", "{e}/lib", "sh", "-c", SHELL], {}, "has its working directory in it", id="a shell"),
        pytest.param(["sh", "-c", SHELL], {"VIRTUAL_ENV": "{e}"}, "has VIRTUAL_ENV set to it", id="activated"),
        pytest.param(
            ["sh", "-c", SHELL], {"VIRTUAL_ENV": "{link}/"}, "has VIRTUAL_ENV set to it", id="activated by a link"
        ),
        pytest.param(["sh", "-c", f"exec 3< {{e}}/pyvenv.cfg; {SHELL}"], {}, "has a file of it open", id="a file"),
        pytest.param(["sh", "-c", f"exec 3< {{e}}; {SHELL}"], {}, "has a file of it open", id="the folder open"),
        pytest.param(
            ["sh", "-c", f"exec 3< {{e}}/gone; rm {{e}}/gone; {SHELL}"], {}, "has a file of it open", id="deleted"
        ),
        pytest.param(
            [sys.executable, "-c", f"import ctypes; ctypes.CDLL('{{e}}/a\\nb.so'); {WAIT}"],
            {}, "has a file of it in its memory", id="a library",
        ),
    ],
)  # fmt: skip
def test_who_has_something_in_it_uses_it(
    environment: Path, tmp_path: Path, command: list[str], variables: dict[str, str], how: str
) -> None:
    link = tmp_path / "link"
    link.symlink_to(environment.parent)
    shutil.copy(_json.__file__, environment / "a\nb.so")
    (environment / "gone").touch()
    shutil.copy("/bin/sh", environment / "bin/tool")
    names = {"{e}": str(environment), "{link}": str(link / environment.name)}

    def filled(text: str) -> str:
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    with waiting(*map(filled, command), env={name: filled(value) for name, value in variables.items()}) as it:
        assert users(environment)[it.pid].how == how
        assert users(environment.with_name("demo-2")) == {}
        assert users(environment.with_name("dem")) == {}
        assert it.pid in users(environment.parent), "what holds it"
    assert it.pid not in users(environment)


def test_the_interpreter_that_runs_us_uses_its_environment() -> None:
    (user,) = find_users([sys.prefix])[sys.prefix][:1]
    assert (user.pid, user.how) == (os.getpid(), "runs prime-uve") or user.pid != os.getpid()


def test_our_own_working_directory_counts_and_what_we_have_open_does_not(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(environment))
    with (environment / "pyvenv.cfg").open():
        assert users(environment) == {}
    monkeypatch.chdir(environment / "lib")
    assert users(environment)[os.getpid()].how == "has its working directory in it"


def test_a_command_is_told_without_what_can_be_secret(environment: Path) -> None:
    variables: Environment = {"TOKEN": "hunter2", "VIRTUAL_ENV": str(environment)}
    with waiting("sh", "-c", f"{SHELL}", "--password=hunter2", env=variables) as process:
        user = users(environment)[process.pid]
        assert user.command == "sh -c"
        assert str(user) == f"pid {process.pid} (sh -c) has VIRTUAL_ENV set to it"


def test_many_environments_are_asked_about_at_once(environment: Path) -> None:
    others = [f"{environment.parent}/demo{number}" for number in range(10_000)]
    with waiting("sh", "-c", SHELL, cwd=environment) as process:
        found = find_users([*others, str(environment), str(environment), "/\0"])
    assert found.keys() == {str(environment)}
    assert [user.pid for user in found[str(environment)]] == [process.pid]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_looked_at_is_passed_over(environment: Path) -> None:
    with waiting("sh", "-c", SHELL, cwd=environment) as process:
        script = (
            "import os, sys; from prime_uve.core.processes import find_users; find_users([]); os.setgroups([])\n"
            "os.setuid(54321); print(find_users(sys.argv[1:]))"
        )
        # Who measures the coverage could not write down what it found.
        done = checkouts.child(script, environment, cwd=Path("/"), env=dict.fromkeys(UNMEASURED))
        assert str(process.pid) not in checkouts.output(done)
        assert process.poll() is None


def test_a_mount_that_hangs_hides_no_other_use(environment: Path, tmp_path: Path) -> None:
    mount = tmp_path / "share"
    mount.mkdir()
    script = (
        "import os, subprocess, sys\n"
        "from prime_uve.core.processes import find_users\n"
        "mount, environment = sys.argv[1:]\n"
        "lost = {**os.environ, 'VIRTUAL_ENV': mount + '/venv/x'}\n"
        "one = subprocess.Popen(['sh', '-c', 'echo; read -r line'], env=lost, stdin=-1, stdout=-1)\n"
        "two = subprocess.Popen(['sh', '-c', 'echo; read -r line'], cwd=environment, stdin=-1, stdout=-1)\n"
        "one.stdout.readline(), two.stdout.readline()\n"
        "users = find_users([mount + '/a/b', environment], timeout=0.5)\n"
        "print(users.keys() == {environment}, [it.pid for it in users[environment]] == [two.pid])\n"
        "one.kill(), two.kill()\n"
        "print(find_users([mount + '/venv/x'], timeout=0.5))\n"
    )
    done = checkouts.child(script, mount, environment, cwd=tmp_path, prefix=hung_mount.prefix(mount))
    assert checkouts.output(done) == "True True\n{}\n"


def test_programs_on_a_mount_that_hangs_keep_nobody_from_being_seen(environment: Path, tmp_path: Path) -> None:
    mount = tmp_path / "share"
    mount.mkdir()
    script = (
        "import subprocess, sys\n"
        "from prime_uve.core.processes import find_users\n"
        "mount, environment = sys.argv[1:]\n"
        "lost = [subprocess.Popen([mount + '/a/b'], executable='cat', stdin=-1) for _ in range(70)]\n"
        "wait = 'import sys; print(flush=True); sys.stdin.read()'\n"
        "late = subprocess.Popen([environment + '/bin/python', '-c', wait], stdin=-1, stdout=-1)\n"
        "late.stdout.readline()\n"
        "users = find_users([environment], timeout=0.5, insist=True)\n"
        "print([it.pid for it in users[environment]] == [late.pid])\n"
        "[it.kill() for it in (*lost, late)]\n"
    )
    done = checkouts.child(script, mount, environment, cwd=tmp_path, prefix=hung_mount.prefix(mount))
    assert checkouts.output(done) == "True\n"


def test_whoever_insists_is_told_that_there_was_no_time_to_look(environment: Path) -> None:
    assert find_users([str(environment)], timeout=1e-9) == {}
    with pytest.raises(TimeoutError, match=r"pid \d+ could not be looked at within 1e-09 s"):
        find_users([str(environment)], timeout=1e-9, insist=True)


# uv's lock


@contextmanager
def locked(path: Path, kind: int = fcntl.LOCK_EX) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, kind)
        yield


def test_the_lock_of_uv_is_seen_and_not_taken(environment: Path) -> None:
    lock = environment / ".lock"
    assert not is_locked(str(environment))
    assert not lock.exists()
    with locked(lock):
        assert is_locked(str(environment))
        assert users(environment)[None].command == "uv", "our own files count for nobody"
        assert str(users(environment)[None]) == "uv holds its lock"
    before = tree(environment)
    assert not is_locked(str(environment)), "it is let go"
    assert tree(environment) == before
    with locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):  # which would raise
        assert is_locked(str(environment))


def test_uv_itself_takes_that_lock(uv: Path, environment: Path, tmp_path: Path) -> None:
    package = tmp_path / "slow"
    package.mkdir()
    os.mkfifo(package / "go")
    (package / "backend.py").write_text("def build_wheel(*args):\n    open('go').read()\n")
    (package / "pyproject.toml").write_text(
        '[project]\nname = "slow"\nversion = "1"\n[build-system]\nrequires = []\n'
        'build-backend = "backend"\nbackend-path = ["."]\n'
    )
    variables = {**os.environ, "VIRTUAL_ENV": str(environment)}
    command: list[str | Path] = [uv, "pip", "install", "--offline", "--no-deps", package]
    with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as process:
        with (package / "go").open("w"):  # waits until the build has begun
            found = users(environment)
            is_seen = is_locked(str(environment))
        process.communicate(timeout=60)
    assert is_seen
    assert found[process.pid].command == "uv pip"


@pytest.mark.parametrize("kind", ["nothing", "no environment", "a link", "a pipe", "a folder", "nobody's"])
def test_what_nobody_has_locked_is_free(environment: Path, kind: str) -> None:
    lock = environment / ".lock"
    match kind:
        case "no environment":
            environment = environment / "pyvenv.cfg"
        case "a link":
            lock.symlink_to("pyvenv.cfg")
        case "a pipe":
            os.mkfifo(lock)
        case "a folder":
            lock.mkdir()
        case "nobody's":
            lock.touch()
    assert not is_locked(str(environment))


def test_a_lock_that_may_not_be_opened_may_be_held(environment: Path) -> None:
    (environment / ".lock").touch(0)
    script = (
        "import sys; from prime_uve.core.processes import find_users; print(*find_users(sys.argv[1:])[sys.argv[1]])"
    )
    done = checkouts.child(script, environment, cwd=Path("/"), prefix=unprivileged())
    assert checkouts.output(done) == "uv may hold its lock: Permission denied\n"
