"""Which mount does a path lie on? Answered by text: what lies there is not touched, for it may hang."""

import os
import sys
from collections.abc import Iterable, Iterator

_TABLE = "/proc/self/mountinfo"
_DEVICES = "/dev/"
_UUIDS = "/dev/disk/by-uuid"
_ROOT = os.path.abspath(os.sep)


class MountTable:
    """The mount points at one moment, as absolute paths."""

    def __init__(self, points: Iterable[str]) -> None:
        self._points = frozenset(points)
        self._known: dict[str, str] = {}

    def __contains__(self, point: object) -> bool:
        return point in self._points

    def point_of(self, path: str) -> str:
        """Return the mount point that `path` lies on by its text, links not followed; else its drive or the root."""
        passed = []
        while path not in self._known:
            passed.append(path)
            parent = os.path.dirname(path)
            if path in self._points or parent == path:
                self._known[path] = path or _ROOT
                break
            path = parent
        point = self._known[path]
        for below in passed:
            self._known[below] = point
        return point

    def inside(self, folder: str) -> list[str]:
        """Return the mount points that are `folder`, a real path, or lie in it by their text, in order."""
        around = os.path.join(folder, "")
        return sorted(point for point in self._points if os.path.join(point, "").startswith(around))


def read_table() -> MountTable:
    """Return what is mounted now. It is empty where the system does not tell, as on Windows."""
    return MountTable(_points())


def _points() -> Iterator[str]:
    if sys.platform == "win32":
        return
    if sys.platform != "linux":
        import psutil  # costly to import

        yield from (partition.mountpoint for partition in psutil.disk_partitions(all=True))
        return
    for fields in _lines():
        yield _text(fields[4])


def identity_of(point: str) -> str | None:
    """Return what tells the file system that is mounted at `point` from others, on this host and for good.

    ``UUID=…`` of a disk; else the type and what is mounted, ``nfs4 server:/export`` say. ``None`` where nothing lasting
    is known: the names and numbers of devices go to whichever is found first, and only Linux tells. What is mounted is
    not touched.
    """
    identity = None
    for fields in _lines():
        if _text(fields[4]) == point:  # the last one lies over the others
            kind, source = fields[fields.index(b"-") + 1 :][:2]
            identity = (
                _uuid(_text(source)) if source.startswith(_DEVICES.encode()) else f"{_text(kind)} {_text(source)}"
            )
    return identity


def _uuid(device: str) -> str | None:
    device = os.path.realpath(device)
    try:
        names = sorted(os.listdir(_UUIDS))
    except OSError:
        return None
    return next((f"UUID={name}" for name in names if os.path.realpath(f"{_UUIDS}/{name}") == device), None)


def _lines() -> Iterator[list[bytes]]:
    """Yield the fields of each line: ``36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/source rw``."""
    try:
        with open(_TABLE, "rb") as table:
            lines = table.read().splitlines()
    except OSError:
        return
    for line in lines:
        yield line.split(b" ")


def _text(field: bytes) -> str:
    return os.fsdecode(_unescaped(field))


def _unescaped(field: bytes) -> bytes:
    """Return a field of the table with its blanks, tabs, line feeds and backslashes, which stand there in octal."""
    head, *rest = field.split(b"\\")
    return head + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in rest)
