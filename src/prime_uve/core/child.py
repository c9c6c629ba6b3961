"""A program as a child in this process's place, where the system cannot replace a process: Windows."""

import ctypes
import signal
import subprocess
from collections.abc import Mapping, Sequence

EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
KILL_ON_JOB_CLOSE = 0x2000
SILENT_BREAKAWAY_OK = 0x1000  # what the child itself starts is its own business, as without us
SET_QUOTA_AND_TERMINATE = 0x0100 | 0x0001


class Limits(ctypes.Structure):
    """``JOBOBJECT_EXTENDED_LIMIT_INFORMATION``; of its fields only the flags matter here."""

    _fields_ = (
        ("times", ctypes.c_int64 * 2),
        ("flags", ctypes.c_uint32),
        ("sizes", ctypes.c_size_t * 2),
        ("processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("classes", ctypes.c_uint32 * 2),
        ("counters", ctypes.c_uint64 * 6),
        ("memory", ctypes.c_size_t * 4),
    )


def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run `command` and return its exit code. Ctrl-C is the child's, and it does not outlive this process.

    Raises:
        OSError: it cannot be started.
    """
    # Ctrl-C reaches the child as well; it decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with subprocess.Popen(command, env=environ) as process:
        _tie(process.pid)
        return process.wait()


def _tie(pid: int) -> None:
    """Let the system end a process with this one. Its handles are left open on purpose: they close as we end."""
    library = getattr(ctypes, "WinDLL", None)
    if library is None:
        return
    kernel = library("kernel32")
    kernel.CreateJobObjectW.restype = kernel.OpenProcess.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    limits = Limits(flags=KILL_ON_JOB_CLOSE | SILENT_BREAKAWAY_OK)
    kernel.SetInformationJobObject(job, EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits))
    # Where it fails, the child runs all the same.
    kernel.AssignProcessToJobObject(job, ctypes.c_void_p(kernel.OpenProcess(SET_QUOTA_AND_TERMINATE, False, pid)))  # noqa: FBT003
