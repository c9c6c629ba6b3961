"""Which mount does a path lie on? Answered by text: what lies there is not touched, for it may hang."""

import os
import sys
from collections.abc import Iterable, Iterator

_TABLE = "/proc/self/mountinfo"
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
    try:
        with open(_TABLE, "rb") as table:
            lines = table.read().splitlines()
    except OSError:
        return
    # 36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/source rw
    for line in lines:
        yield os.fsdecode(_unescaped(line.split(b" ")[4]))


def _unescaped(field: bytes) -> bytes:
    """Return a field of the table with its blanks, tabs, line feeds and backslashes, which stand there in octal."""
    head, *rest = field.split(b"\\")
    return head + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in rest)
