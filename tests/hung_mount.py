"""A mount that never answers, for one command alone: a FUSE file system that nobody serves.

Everything that touches it waits until it is killed, as on a network share whose server is gone. It is there as long as
the command runs.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def prefix(mount: Path) -> list[str]:
    """Return what a command has to be preceded by, so that `mount`, an existing folder, hangs for it.

    Skips the test where that is not allowed.
    """
    import pytest

    from tests.core.checkouts import own_mounts

    command = [*own_mounts(), sys.executable, __file__, str(mount)]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting a FUSE file system is not allowed here")
    return command


def main(mount: str, command: Sequence[str]) -> int:
    """Mount, run the command with the mount hanging, and return its exit code."""
    # Until it is closed, which the end of this process does, requests wait for an answer from here. The command does
    # not inherit it.
    server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={server},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    system = ctypes.CDLL(None, use_errno=True)
    if system.mount(b"hung", os.fsencode(mount), b"fuse", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "cannot mount", mount)
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
