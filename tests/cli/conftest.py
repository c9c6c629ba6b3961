"""Commands in this process: a table of many rows must not start as many interpreters."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from prime_uve.cli.main import main
from tests.commands import Environment, Run


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs ``prime-uve`` as the fixture ``run`` does, but by its function and with nothing on stdin."""

    def call(
        *command: str | Path, cwd: Path, env: Environment | None = None, stdin: str = "", timeout: float = 0
    ) -> CompletedProcess[str]:
        del stdin, timeout
        program, *args = map(str, command)
        assert program == "prime-uve"
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(cwd)
            for name, value in (env or {}).items():
                patch.setenv(name, str(value))
            code = main(args)
        said = capfd.readouterr()
        return CompletedProcess(args, code, said.out, said.err)

    return call
