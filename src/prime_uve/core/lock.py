"""The lock on a file that is held for the time of one transaction."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ELOOP, ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP
from pathlib import Path
from typing import TYPE_CHECKING

from prime_uve.core.whole_file import explained, reason
from prime_uve.errors import CacheError

if TYPE_CHECKING:
    from filelock import BaseFileLock

# The library's own 50 ms make sixteen waiting processes wait for seconds.
_POLL_SECONDS = 0.005
_UNSUPPORTED = frozenset({ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP})


@contextmanager
def held(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock ``path`` for the block; wait for it ``timeout`` seconds, then raise ``CacheError``.

    Each call takes a lock of its own: threads exclude each other, and a fork inherits nothing. It cannot be nested.
    """
    lock = _new(path, timeout)
    try:
        _acquire(lock, path, timeout)
        yield
    finally:
        with explained("release the lock", path):
            lock.release()


def _new(path: Path, timeout: float) -> "BaseFileLock":
    # Importing filelock takes longer than reading a registry does, and a reader takes no lock.
    from filelock import FileLock

    return FileLock(
        path, timeout, mode=0o600, poll_interval=_POLL_SECONDS, fallback_to_soft=False, preserve_lock_file=True
    )


def _acquire(lock: "BaseFileLock", path: Path, timeout: float) -> None:
    from filelock import Timeout

    try:
        lock.acquire()
    except Timeout as error:  # it is an OSError, too
        raise CacheError(
            f"another process{_holder(path)} has held the lock {path} for {timeout:g} s: wait for the other prime-uve "
            f"to finish or close it, then try again; a lock is free when its process ends, so do not delete the file"
        ) from error
    except OSError as error:
        raise CacheError(f"could not lock {path}: {_trouble(path, error)}") from error


def _trouble(path: Path, error: OSError) -> str:
    if error.errno in _UNSUPPORTED:
        return f"its file system has no locks ({reason(error)}); move the registry to a local disk"
    if error.errno == ELOOP:
        return "it is a symbolic link, which is not followed; remove the link"
    if isinstance(error, PermissionError) and os.name == "posix":
        with suppress(OSError):
            owner = os.lstat(path).st_uid
            if owner != os.geteuid():
                return f"it belongs to another user (uid {owner}); have them remove it, or use another registry"
    return reason(error)


def _holder(path: Path) -> str:
    """Name the process that holds the lock, where the kernel is Linux and tells; the empty text elsewhere."""
    with suppress(OSError):
        locks = Path("/proc/locks").read_text("ascii")
        info = os.stat(path)
        place = f"{os.major(info.st_dev):02x}:{os.minor(info.st_dev):02x}:{info.st_ino}"
        for line in locks.splitlines():
            # 7: FLOCK ADVISORY WRITE <pid> <device>:<inode> 0 EOF; one that waits has "->" after the number.
            fields = line.split()
            if fields[1] != "->" and fields[5] == place and int(fields[4]) > 0:
                return f" (pid {fields[4]})"
    return ""
