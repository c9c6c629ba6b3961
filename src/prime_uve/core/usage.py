"""How much do folders take up on the disk, and how much would deleting them free?

uv fills environments with hard links to its cache where it can: a file is freed only if all of its links lie in what
is deleted. Where it clones instead (APFS, btrfs, XFS), nothing tells which blocks are shared with the cache, and what
is said to be freed is too much by those.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from prime_uve.core.mounts import read_table
from prime_uve.core.paths import is_folder

BLOCK = 512  # bytes; the unit of st_blocks, whatever the file system has
WORKERS = 4  # more wait for the interpreter, not for the disk
TIMEOUT = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Usage:
    """What one or several folders take up.

    `size`: bytes on the disk, a file with several links counted once. `freed`: the bytes of them that deleting the
    folders frees. `files`: names of what is no folder. `unseen`: entries that could not be looked at, or that lie on
    another file system; where there are any, the other figures are the least that they can be.
    """

    size: int = 0
    freed: int = 0
    files: int = 0
    unseen: int = 0


@dataclass(frozen=True, slots=True)
class Links:
    """A file of `size` bytes: `seen` of its `total` links lie in the folder."""

    size: int
    total: int
    seen: int


@dataclass(slots=True)
class Measurement:
    """What was found in `folder`: its usage, and by inode (of `device`) the files that have links elsewhere, too."""

    folder: str
    device: int = 0
    size: int = 0
    files: int = 0
    unseen: int = 0
    shared: dict[int, Links] = field(default_factory=dict)

    @property
    def usage(self) -> Usage:
        """What deleting this folder alone would do."""
        return Usage(self.size, self.size - sum(links.size for links in self.shared.values()), self.files, self.unseen)


def measure(folder: str, beat: Callable[[], object] = lambda: None) -> Measurement:
    """Measure what lies in `folder`, itself included. Follows no link, stays on its file system, raises no `OSError`.

    Args:
        folder: absolute path. One that is none, or a link, has nothing in it that could be seen.
        beat: called for each entry that is looked at.
    """
    found = Measurement(folder)
    try:
        facts = os.lstat(folder)
    except (OSError, ValueError):
        return Measurement(folder, unseen=1)
    if not is_folder(facts):
        return Measurement(folder, unseen=1)
    found.device, found.size = facts.st_dev, _on_disk(facts)
    links: dict[int, Links] = {}
    waiting = [folder]
    while waiting:
        waiting += _look_into(waiting.pop(), found, links, beat)
    found.shared = {inode: each for inode, each in links.items() if each.seen < each.total}
    return found


def _look_into(folder: str, found: Measurement, links: dict[int, Links], beat: Callable[[], object]) -> list[str]:
    """Count what lies right in `folder`; return the folders among it."""
    inner = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                beat()
                facts = _facts(entry)
                if facts is None or facts.st_dev != found.device:
                    found.unseen += 1
                elif is_folder(facts):
                    found.size += _on_disk(facts)
                    inner.append(entry.path)
                else:
                    _count(facts, found, links)
    except OSError:  # it is gone, may not be read, or its path is too long
        found.unseen += 1
    return inner


def _count(facts: os.stat_result, found: Measurement, links: dict[int, Links]) -> None:
    found.files += 1
    size = _on_disk(facts)
    if facts.st_nlink > 1:
        known = links.get(facts.st_ino)
        links[facts.st_ino] = Links(size, facts.st_nlink, known.seen + 1 if known else 1)
        if known:
            return
    found.size += size


def _facts(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        # What Windows tells with the name lacks device and links.
        return os.lstat(entry.path) if os.name == "nt" else entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _on_disk(facts: os.stat_result) -> int:
    return facts.st_blocks * BLOCK if hasattr(facts, "st_blocks") else facts.st_size


def combine(measurements: Iterable[Measurement]) -> Usage:
    """Return what deleting several folders together would do: it can free what none of them frees alone.

    A folder that lies in another of them, or is named twice, counts once.
    """
    size = freed = files = unseen = 0
    shared: dict[tuple[int, int], Links] = {}
    for each in _outermost(measurements):
        size += each.usage.freed
        freed += each.usage.freed
        files += each.files
        unseen += each.unseen
        for inode, links in each.shared.items():
            before = shared.get((each.device, inode))
            seen = links.seen + (before.seen if before else 0)
            shared[each.device, inode] = Links(links.size, links.total, seen)
    size += sum(links.size for links in shared.values())
    freed += sum(links.size for links in shared.values() if links.seen >= links.total)
    return Usage(size, freed, files, unseen)


def _outermost(measurements: Iterable[Measurement]) -> Iterator[Measurement]:
    last = None
    for each in sorted(measurements, key=lambda it: it.folder.split(os.sep)):
        if last is None or not f"{each.folder}{os.sep}".startswith(f"{last}{os.sep}"):
            last = each.folder
            yield each


class _Crew:
    """The workers at one mount; `heard` holds when one of them last moved."""

    def __init__(self, folders: Iterable[str], done: SimpleQueue[tuple["_Crew", Measurement]]) -> None:
        self.waiting = deque(folders)
        self.left = len(self.waiting)
        self.heard = time.monotonic()
        self._done = done

    def start(self) -> None:
        for _ in range(min(WORKERS, self.left)):
            # Daemons: what hangs in a call of the system must not hold up the end of the program.
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                folder = self.waiting.popleft()
            except IndexError:
                return
            self._done.put((self, measure(folder, self._hear)))

    def _hear(self) -> None:
        self.heard = time.monotonic()


def measure_all(
    folders: Iterable[str], *, timeout: float = TIMEOUT, progress: Callable[[str], None] = lambda _folder: None
) -> dict[str, Measurement]:
    """Measure several folders at a time, and wait for no disk that does not answer.

    Args:
        folders: absolute paths.
        timeout: seconds; what is being measured on a mount where nothing moves for so long is given up, and counts
            as not seen.
        progress: called, in this thread, with each folder that is done.
    """
    measured = {folder: Measurement(folder, unseen=1) for folder in folders}
    done: SimpleQueue[tuple[_Crew, Measurement]] = SimpleQueue()
    mounts = read_table()
    places: dict[str, list[str]] = {}
    for folder in measured:
        places.setdefault(mounts.point_of(os.path.normpath(folder)), []).append(folder)
    crews = [_Crew(inside, done) for inside in places.values()]
    try:
        for crew in crews:
            crew.start()
        while ends := [crew.heard + timeout for crew in crews if crew.left]:
            if (rest := max(ends) - time.monotonic()) <= 0:
                break
            with suppress(Empty):
                crew, found = done.get(timeout=rest)
                crew.left -= 1
                measured[found.folder] = found
                progress(found.folder)
    finally:
        for crew in crews:
            crew.waiting.clear()
    return measured
