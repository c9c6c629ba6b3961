"""Files that are read and replaced as a whole.

All that touches the disk goes through ``os``, so that a fault can be injected into each call, and every ``OSError``
becomes a ``CacheError`` that names the operation and the path.
"""

import os
import re
import stat
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from errno import EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP
from pathlib import Path
from typing import TypeVar

from prime_uve.errors import CacheError

T = TypeVar("T")

_LARGEST = 128 << 20  # bytes; a thousand items are half a megabyte
_LINKS_FOLLOWED = 40
_SHARING_SECONDS = 1.0
_SHARING_VIOLATIONS = frozenset({5, 32, 33})  # Windows: access denied, sharing violation, lock violation
_NO_FOLDER_SYNC = frozenset({EINVAL, ENOSYS, EOPNOTSUPP, ENOTSUP})
# A FIFO or a device must not make us wait, nor a terminal take us over; a link is followed by `resolve` or not at all.
_OPEN_FLAGS = 0
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK"):
    _OPEN_FLAGS |= getattr(os, _flag, 0)


@contextmanager
def explained(operation: str, path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a ``CacheError``."""
    try:
        yield
    except OSError as error:
        raise CacheError(f"could not {operation} {path}: {reason(error)}") from error


def reason(error: OSError) -> str:
    """Say what the system said, without the path."""
    return error.strerror or str(error)


def resolve(path: Path) -> Path:
    """Follow the links at ``path``, each of which has to be this user's own (or root's), to what may be replaced.

    A link that leads nowhere is an error: a disk that is not mounted must not look like a file that is not there yet.
    """
    target = path
    for _ in range(_LINKS_FOLLOWED):
        with explained("look at", target):
            try:
                info = os.lstat(target)
            except FileNotFoundError:
                break
            if not stat.S_ISLNK(info.st_mode):
                return target
            if os.name == "posix" and info.st_uid not in {os.geteuid(), 0}:
                raise CacheError(f"{target} is a symbolic link of another user and is not followed: remove it")
            target = target.parent / os.readlink(target)
    else:
        raise CacheError(f"{path} is a symbolic link that leads in a circle: remove it")
    link = path.parent if target == path else path
    with explained("look at", link):
        leads_nowhere = link.is_symlink() and not os.path.exists(link)
    if leads_nowhere:
        raise CacheError(f"{link} is a symbolic link to what is not there: restore that, or remove the link")
    return target


def read(path: Path) -> bytes | None:
    """Read a regular file without ever waiting for it; ``None`` where there is nothing of that name."""
    descriptor = -1
    with explained("read", path):
        try:
            descriptor = _sharing(lambda: os.open(path, os.O_RDONLY | _OPEN_FLAGS))
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CacheError(f"could not read {path}: it is not a regular file; move it away")
            return _read_all(descriptor, path)
        except FileNotFoundError:
            return None
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def _read_all(descriptor: int, path: Path) -> bytes:
    # Read to the end and no further than the limit: a size is not true for long, and a sparse file is soon very large.
    blocks, left = [], _LARGEST
    while block := os.read(descriptor, 1 << 20):
        blocks.append(block)
        left -= len(block)
        if left < 0:
            raise CacheError(f"could not read {path}: it is larger than {_LARGEST >> 20} MiB; move it away")
    return b"".join(blocks)


@contextmanager
def beside(target: Path, data: bytes, *, flush: bool = True) -> Iterator[Path]:
    """Give a new private file with ``data`` in the folder of ``target``; it is gone at the end, if it was not renamed.

    With ``flush`` the data is on the disk.
    """
    scratch = target.with_name(f".{target.name}.{os.urandom(8).hex()}.tmp")
    descriptor = -1
    try:
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN_FLAGS, 0o600)
        if os.name == "posix":
            os.fchmod(descriptor, 0o600)  # a umask may have taken more than it should
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if flush:
            os.fsync(descriptor)
        closing, descriptor = descriptor, -1
        os.close(closing)
        yield scratch
    finally:
        with suppress(OSError):
            if descriptor >= 0:
                os.close(descriptor)
        with suppress(OSError):
            os.unlink(scratch)


def rename(scratch: Path, target: Path) -> None:
    """Give ``scratch`` the name of ``target``, in whose place it is from then on."""
    _sharing(lambda: os.replace(scratch, target))


def put(scratch: Path, target: Path) -> None:
    """Rename, and have the folder flushed. It is opened before, so that little can go wrong after."""
    if os.name == "nt":  # a folder cannot be opened there
        rename(scratch, target)
        return
    folder = -1
    try:
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        rename(scratch, target)
        _flush(folder, target)
    finally:
        if folder >= 0:
            with suppress(OSError):
                os.close(folder)


def _flush(folder: int, target: Path) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise CacheError(
                f"{target} is written, but a power loss could undo that: could not flush {target.parent}: "
                f"{reason(error)}"
            ) from error


def sweep(folders: Collection[Path], names: Collection[str], *, but: Path | None = None) -> None:
    """Remove what `beside` left for files of these names, or of these names and an ending, when it was killed.

    The file ``but`` stays.
    """
    pattern = re.compile(rf"\.(?:{'|'.join(map(re.escape, names))})(?:\.[\w-][\w.-]*)?\.[0-9a-f]{{16}}\.tmp")
    for folder in folders:
        with suppress(OSError):
            for name in os.listdir(folder):
                if pattern.fullmatch(name) and folder / name != but:
                    os.unlink(folder / name)


def holds(path: Path, data: bytes) -> bool:
    """Tell whether the file can be read and holds just ``data``."""
    try:
        return os.stat(path).st_size == len(data) and read(path) == data
    except (OSError, CacheError):
        return False


def make_folder(folder: Path) -> None:
    """Make a private folder, and the folders above it; one that exists stays as it is."""
    with explained("make the folder", folder):
        missing = []
        for path in (folder, *folder.parents):
            if os.path.lexists(path):
                break
            missing.append(path)
        for path in reversed(missing):
            with suppress(FileExistsError):
                os.mkdir(path, 0o700)
                os.chmod(path, 0o700)  # a umask may have taken more than it should


def _sharing(action: Callable[[], T]) -> T:
    """Try again, for about a second, where Windows refuses because another process has the file open."""
    deadline = time.monotonic() + _SHARING_SECONDS
    while True:
        try:
            return action()
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _SHARING_VIOLATIONS or time.monotonic() >= deadline:
                raise
            time.sleep(0.005)  # noqa: TID251  # Windows tells nobody when a file is free
