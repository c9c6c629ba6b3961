"""A lock for a file system that several hosts reach, where the kernel's own lock may be missing or end at one host.

Each holder is a claim: a file of its own name in a folder that all hosts see. filelock's strict lock decides who has
won; it asks for nothing but hard links, and never takes a claim away. So that a holder that died does not lock the
others out, we do: the claim of a process of this host that is gone at once, and any other that has not changed for
eight seconds. Its owner may yet be alive, and only have stood still. What keeps that one from undoing the work of its
successor is the order of things, not the clock:

- a holder makes its temporary file, then looks whether its claim is still there, and then renames the temporary file;
- a successor removes the claim, and after that, before it compares, the temporary files of all others.

Either the look comes after the removal of the claim, and stops the holder; or the temporary file was there before
that, and is removed, and the file server has nothing to rename.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import ENOENT, ESTALE
from pathlib import Path
from typing import TYPE_CHECKING

from prime_uve.core.store.whole_file import explained, reason
from prime_uve.errors import CacheError

if TYPE_CHECKING:
    from filelock import StrictSoftFileClaim, StrictSoftFileLock

_POLL_SECONDS = 0.01
_LOOK_SECONDS = 0.25
_STILL_SECONDS = 8.0  # less than a writer waits, so that the next one after a host that died succeeds
_MOUNTS = Path("/proc/self/mountinfo")
# They have no device, as network file systems have none, but are this host's own.
_OWN = frozenset({"bcachefs", "btrfs", "ecryptfs", "overlay", "ramfs", "rootfs", "tmpfs", "zfs"})


class _NoClaimsError(Exception):
    """Claims cannot be made here. The text says why."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What `held` has made; or ``refusal``, which says why the file system cannot have claims."""

    still: Callable[[], bool]
    refusal: str = ""


def may_be_shared(folder: Path) -> bool:
    """Tell whether other hosts may reach what is in the folder: not on a disk, nor on what is in memory.

    It goes by the table of mounts, which Linux has; elsewhere it is False.
    """
    with suppress(OSError):
        device = os.stat(folder).st_dev
        if os.name == "posix" and os.major(device) == 0:
            for line in reversed(_MOUNTS.read_text("utf-8", "surrogateescape").splitlines()):
                # 36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/source rw
                place, _, kind = line.partition(" - ")
                if place.split()[2] == f"0:{os.minor(device)}":
                    return kind.split()[0] not in _OWN
    return False


@contextmanager
def held(path: Path, timeout: float, began: float) -> Iterator[Claim]:
    """Hold a claim for the block; wait for it until ``timeout`` seconds after ``began``, then raise ``CacheError``.

    ``still`` tells whether nobody has taken the lock over.
    """
    # As in `lock`: a reader must not pay for the import.
    from filelock import StrictSoftFileLock

    lock = StrictSoftFileLock(path, mode=0o600, poll_interval=_POLL_SECONDS)
    try:
        yield _made(lock, path, timeout, began)
    finally:
        with explained("release the lock", path):
            lock.release()


def _made(lock: "StrictSoftFileLock", path: Path, timeout: float, began: float) -> Claim:
    try:
        name = _taken(lock, path, timeout, began)
    except _NoClaimsError as error:
        return Claim(still=lambda: False, refusal=str(error))
    return Claim(still=lambda: name is not None and _exists(Path(f"{path}.filelock", "claims", name)))


def _exists(claim: Path) -> bool:
    """Ask the file server whether the claim is there, by a change that no cache can answer."""
    with explained("look at", claim):
        try:
            os.chmod(claim, 0o600)
        except OSError as error:
            if error.errno in {ENOENT, ESTALE}:
                return False
            raise
    return True


def _taken(lock: "StrictSoftFileLock", path: Path, timeout: float, began: float) -> str | None:
    """Wait for the lock, and return the name of our claim; ``None`` where it may be lost already."""
    from filelock import SoftFileLockProtocolError, Timeout

    deadline = began + timeout
    seen: dict[str, float] = {}
    while True:
        tried = time.monotonic()
        try:
            lock.acquire(timeout=max(0, min(deadline - tried, _LOOK_SECONDS)))
        except (Timeout, FileNotFoundError):  # the latter: we stood still, and our claim is gone before it was whole
            pass
        except SoftFileLockProtocolError as error:
            if error.claim_name is None or not error.claim_name.endswith(".claim"):
                raise _explanation(path, error.reason) from error
            time.sleep(_POLL_SECONDS)  # noqa: TID251  # an unreadable claim: the library does not wait for that
        except OSError as error:
            raise _explanation(path, reason(error)) from error
        else:
            name = _ours(_holders(lock))
            # A claim so young has been taken over by nobody, so what is there of this process is of this thread.
            return name if time.monotonic() - tried < _STILL_SECONDS else None
        holders = _holders(lock)
        now = time.monotonic()
        seen = {name: seen.get(name, now) for name in holders}
        stale = [name for name, since in seen.items() if now - since >= _STILL_SECONDS or _is_gone(holders[name])]
        for name in stale:
            with explained("take over the lock", path), suppress(FileNotFoundError):
                lock.force_break(name)
        if now >= deadline and not stale:
            raise CacheError(
                f"another process{_named(holders)} has held the lock {path} for {timeout:g} s: wait for the other "
                f"prime-uve to finish or close it, then try again; a lock that stands still for {_STILL_SECONDS:g} s "
                f"is taken over, so do not delete the file"
            )


def _explanation(path: Path, text: str) -> Exception:
    # The file at the path is the first thing that is made by way of a hard link.
    if not os.path.lexists(path):
        return _NoClaimsError(text)
    return CacheError(
        f"could not lock {path}: {text}; if no prime-uve is running on any host, remove {path} and {path}.filelock"
    )


def _holders(lock: "StrictSoftFileLock") -> "dict[str, StrictSoftFileClaim | None]":
    """Give the claims by name; of one that cannot be read, which hides the others, nothing but the name."""
    from filelock import SoftFileLockProtocolError

    try:
        return {claim.name: claim for claim in lock.claims}
    except SoftFileLockProtocolError as error:
        return {error.claim_name: None} if error.claim_name else {}


def _ours(holders: "dict[str, StrictSoftFileClaim | None]") -> str | None:
    """Give the name of the claim by which this process holds the lock."""
    held = [claim.name for claim in holders.values() if claim and claim.state == "held" and claim.pid == os.getpid()]
    return min(held, default=None)  # that of another thread, which is about to lose, is a higher one


def _is_gone(claim: "StrictSoftFileClaim | None") -> bool:
    if claim is None or claim.hostname not in _names_of_this_host():
        return False
    import psutil

    return not psutil.pid_exists(claim.pid)


def _names_of_this_host() -> list[str]:
    import socket

    # filelock adds the number of the process namespace in a container, where process ids mean something else.
    name = socket.gethostname()
    with suppress(OSError):
        return [name, f"{name}?pidns-{os.stat('/proc/self/ns/pid').st_ino:x}"]
    return [name]


def _named(holders: "dict[str, StrictSoftFileClaim | None]") -> str:
    for claim in holders.values():
        if claim is not None:
            return f" (pid {claim.pid} on {claim.hostname})"
    return ""
