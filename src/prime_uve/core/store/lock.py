"""The lock on a file that is held for the time of one transaction.

The kernel's lock is taken wherever there is one: it is what older releases take, and it ends with its process. Where
it is missing, or may end at this host, the claims of `claims` are taken after it. One host that needs them leaves
``<lock>.shared`` behind, which makes all others take them, too; so all who use one registry exclude each other, though
the kernel's lock works for some and not for others.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import ELOOP, ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP
from pathlib import Path
from typing import TYPE_CHECKING

from prime_uve.core.store import claims
from prime_uve.core.store.whole_file import explained, reason
from prime_uve.errors import CacheError

if TYPE_CHECKING:
    from filelock import BaseFileLock

# The library's own 50 ms make sixteen waiting processes wait for seconds.
_POLL_SECONDS = 0.005
_UNSUPPORTED = frozenset({ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP})


@dataclass(frozen=True, slots=True)
class Hold:
    """A lock that is held. ``by_claim``: another host may take it over, if this process stands still for long."""

    path: Path
    by_claim: bool
    still: Callable[[], bool]

    def confirm(self) -> None:
        """Raise ``CacheError`` where the lock has been taken over. To be asked between the last write and the rename.

        A holder without a claim has lost it as soon as there are claims.
        """
        if not self.still():
            raise CacheError(
                f"lost the lock {self.path} to a process of another host while this one stood still: nothing was "
                f"written; try again"
            )


@contextmanager
def held(path: Path, timeout: float) -> Iterator[Hold]:
    """Hold the lock ``path`` for the block; wait for it ``timeout`` seconds, then raise ``CacheError``.

    Each call takes a lock of its own: threads exclude each other, and a fork inherits nothing. It cannot be nested.
    """
    shared = path.with_name(f"{path.name}.shared")
    began = time.monotonic()
    alone = Hold(path, by_claim=False, still=lambda: not os.path.lexists(shared))
    with _kernel_lock(path, timeout) as missing:
        if not missing and not os.path.lexists(shared) and not claims.may_be_shared(path.parent):
            yield alone
            return
        with claims.held(shared, timeout, began) as claim:
            if claim.refusal and missing:
                raise CacheError(
                    f"could not lock {path}: its file system has no locks ({reason(missing)}), and nothing can stand "
                    f"in for them ({claim.refusal}); move the registry to a local disk: set PRIME_UVE_CACHE"
                )
            yield alone if claim.refusal else Hold(shared, by_claim=True, still=claim.still)


@contextmanager
def _kernel_lock(path: Path, timeout: float) -> Iterator[OSError | None]:
    """Hold the kernel's lock for the block; where there is none, give what the system said."""
    # Importing filelock takes longer than reading a registry does, and a reader takes no lock.
    from filelock import FileLock

    lock = FileLock(
        path, timeout, mode=0o600, poll_interval=_POLL_SECONDS, fallback_to_soft=False, preserve_lock_file=True
    )
    try:
        yield _taken(lock, path, timeout)
    finally:
        with explained("release the lock", path):
            lock.release()


def _taken(lock: "BaseFileLock", path: Path, timeout: float) -> OSError | None:
    from filelock import Timeout

    try:
        lock.acquire()
    except Timeout as error:  # it is an OSError, too
        if not os.path.lexists(path):  # in /proc, making a file looks as if somebody removed it at that moment
            raise CacheError(f"could not lock {path}: it cannot be made; use another place for the registry") from error
        raise CacheError(
            f"another process{_holder(path)} has held the lock {path} for {timeout:g} s: wait for the other prime-uve "
            f"to finish or close it, then try again; a lock is free when its process ends, so do not delete the file"
        ) from error
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return error
        raise CacheError(f"could not lock {path}: {_trouble(path, error)}") from error
    return None


def _trouble(path: Path, error: OSError) -> str:
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
