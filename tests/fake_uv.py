"""A stand-in for uv: a real executable that writes down what it was given."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

# It starts without site, so that nothing (such as coverage) adds to what it is given.
_SCRIPT = """\
#!{folder}/python -IS
import json, os, sys
try:
    with open("/proc/self/environ", "rb") as given:  # without what Python adds
        env = dict(os.fsdecode(entry).split("=", 1) for entry in given.read().split(b"\\0") if entry)
except OSError:
    env = dict(os.environ)
with open({calls!r}, "a") as calls:
    print(json.dumps({{"argv": sys.argv[1:], "cwd": os.getcwd(), "env": env}}), file=calls)
with open({status!r}) as status:
    sys.exit(int(status.read()))
"""


@dataclass(frozen=True)
class Call:
    """One call of the fake uv; bytes that are not UTF-8 are surrogates, as in ``os.environ``."""

    argv: list[str]
    cwd: str
    env: dict[str, str]


class FakeUv:
    """``folder`` holds an executable ``uv`` and is meant to be first on PATH."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "uv"
        self._calls = folder / "calls"
        self._status = folder / "status"
        (folder / "python").symlink_to(os.path.realpath(sys.executable))  # a short shebang line, without spaces
        self.path.write_text(_SCRIPT.format(folder=folder, calls=str(self._calls), status=str(self._status)))
        self.path.chmod(0o755)
        self._calls.touch()
        self.exits(0)

    def exits(self, status: int) -> None:
        """Make every call from now on end with this exit status."""
        self._status.write_text(str(status))

    @property
    def calls(self) -> list[Call]:
        return [Call(**json.loads(line)) for line in self._calls.read_text().splitlines()]

    @property
    def call(self) -> Call:
        """The only call that there was."""
        (call,) = self.calls
        return call
