"""Is something there? What cannot be looked at is not absent, and a project's absence has to be witnessed."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from prime_uve.core import mounts
from prime_uve.core.mounts import MountTable
from prime_uve.core.paths import home, quoted

# Fields of a mapping.
MOUNT = "mount"
PARENT = "parent_inode"
FILE_SYSTEM = "file_system"
WITNESSES = frozenset((MOUNT, PARENT, FILE_SYSTEM))


class Presence(Enum):
    """Is something there? What cannot be looked at is not absent."""

    HERE = "here"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing looked at; `trouble` says why its presence is unknown."""

    presence: Presence
    trouble: str = ""


HERE = Sight(Presence.HERE)
GONE = Sight(Presence.GONE)


def witness(project: str) -> dict[str, object]:
    """Return what the absence of `project` will be witnessed by: extra fields for its mapping.

    ``mount``: the mount point that it lies on, where that is neither the root's nor the home's, and ``file_system``,
    which one is mounted there (a root has the same inode on many). ``parent_inode``: the inode of the folder that holds
    it. What cannot be seen now is left out.
    """
    seen: dict[str, object] = {}
    table = mounts.read_table()
    mount = _mount_point(project, table)
    if all(mount != _mount_point(place, table) for place in (os.path.abspath(os.sep), os.path.realpath(home()))):
        seen[MOUNT] = mount
        file_system = mounts.identity_of(mount)
        if file_system is not None:
            seen[FILE_SYSTEM] = file_system
    try:
        seen[PARENT] = os.stat(os.path.dirname(project)).st_ino
    except (OSError, ValueError):
        pass
    return seen


def _mount_point(path: str, table: MountTable) -> str:
    """Return the mount point that `path` lies on; Windows, which has no table, is asked about each folder."""
    if os.name != "nt":
        return table.point_of(path)
    while not os.path.ismount(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def look_at_project(project: str, mapping: Mapping[str, object], table: MountTable) -> Sight:
    """Look whether the project of a mapping is there. It is gone only where its witnesses say so."""
    sight = look(project)
    return witnessed(project, mapping, table) if sight.presence is Presence.GONE else sight


def witnessed(project: str, mapping: Mapping[str, object], table: MountTable) -> Sight:
    """Return whether what is not to be seen of a project is gone: its witnesses are asked, as far as it has any."""
    why, remedy = _lost_mount(project, mapping, table), "mount it"
    if not why:
        why, remedy = _lost_parent(os.path.dirname(project), mapping), "connect what it lies on"
    return out_of_reach(project, project, why, remedy) if why else GONE


def _lost_mount(project: str, mapping: Mapping[str, object], table: MountTable) -> str:
    """Say what has become of the mount that a project lay on, empty where it is the same, or none is known."""
    mount, file_system = mapping.get(MOUNT), mapping.get(FILE_SYSTEM)
    if not isinstance(mount, str):
        return ""
    # A subvolume is in no table, and a disk may have been mounted since it was read.
    if mount not in table and not os.path.ismount(mount):
        return f"nothing is mounted at {mount!r}"
    if not isinstance(file_system, str) and mount == os.path.dirname(project):
        return f"nothing tells {mount!r} from another disk that is mounted there"  # the roots of both have one inode
    mounted = mounts.identity_of(mount) if isinstance(file_system, str) else None
    if mounted is not None and mounted != file_system:
        return f"{mount!r} is not the file system that was mounted there, which is {file_system!r}"
    return ""


def _lost_parent(parent: str, mapping: Mapping[str, object]) -> str:
    """Say what has become of the folder that held a project, empty where it is the same."""
    parent_inode = mapping.get(PARENT)
    try:
        inode = os.stat(parent).st_ino
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return f"{parent!r}: {reason}"
    if type(parent_inode) is int and parent_inode != inode:
        return f"{parent!r} is another folder than when it was registered"
    return ""


def out_of_reach(path: str, project: str, why: str, remedy: str) -> Sight:
    """Return what is known of a path of `project` that is perhaps there: nothing."""
    forget = f"or, if it is gone for good, forget it: prime-uve unregister {quoted(project)}"
    return Sight(Presence.UNKNOWN, f"{path!r} is out of reach: {why}; {remedy}, {forget}")


def look(folder: str) -> Sight:
    """Look whether a folder is there."""
    try:
        return HERE if stat.S_ISDIR(os.stat(folder).st_mode) else GONE
    except (FileNotFoundError, NotADirectoryError):
        if os.path.islink(folder):  # what it leads to may be on a disk that is not there
            return Sight(Presence.UNKNOWN, f"{folder!r} is a link that leads nowhere; see ls -ld {quoted(folder)}")
        return GONE
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return Sight(Presence.UNKNOWN, f"{folder!r} cannot be looked at: {reason}; see ls -ld {quoted(folder)}")


def same_place(one: str, other: str) -> bool:
    """Tell whether two absolute paths mean one place, links followed."""
    if one == other or os.path.normpath(one) == os.path.normpath(other):
        return True
    try:
        return os.path.realpath(one) == os.path.realpath(other)
    except (OSError, ValueError):  # a NUL, which no place has in its path
        return False
