"""A program as a child, as on Windows; what is not Windows' own runs here, too."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from prime_uve.core import child
from tests.core import writers


@pytest.mark.parametrize("status", [0, 3, 255])
def test_its_exit_code_is_returned_and_it_has_the_variables(status: int, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    script = f"import os, sys; open('was-here', 'x').write(os.environ['A']); sys.exit({status})"
    try:
        code = child.run(
            [sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r}); {script}"], {**os.environ, "A": "given"}
        )
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, (tmp_path / "was-here").read_text()) == (status, "given")


def test_ctrl_c_is_for_the_child_to_answer(tmp_path: Path) -> None:
    """Both get it from the terminal; the child ends in its own time, with its own exit code."""
    answer = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(42))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    script = "import os, sys; from prime_uve.core import child; sys.exit(child.run(sys.argv[1:], dict(os.environ)))"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", script, sys.executable, "-S", "-c", answer],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")} | writers.ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 42


def test_what_windows_is_told_of_limits_has_its_size() -> None:
    assert ctypes.sizeof(child.Limits) == (144 if sys.maxsize > 1 << 32 else 112)
