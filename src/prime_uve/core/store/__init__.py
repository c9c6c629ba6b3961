"""A locked, versioned JSON document that loses nothing. It knows nothing of what the document is about.

A writer takes the lock, loads, changes, writes a new file beside the old one and puts it in its place; a reader finds
the old document or the new one, and needs no lock. What cannot be read is never taken for empty. Bytes that are no
whole document are kept under a name of their own before anything is written in their place, and the copy that the
last write left (``<name>.last-good``) fills in what cannot be read out of them.
"""

import copy
import marshal
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from prime_uve.core.store import document, lock, whole_file
from prime_uve.errors import CacheError
from prime_uve.stderr import tell

T = TypeVar("T")

_ATTEMPTS = 5
_COPIES_KEPT = 10
_LAST_SECOND = 253402300799  # of the year 9999

_told: dict[tuple[Path, int], Path] = {}  # the damage that was told on stderr, and where it said that the bytes are


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The document as it was found in ``target``, the file behind links; ``raw`` is ``None`` where there was none."""

    target: Path
    raw: bytes | None
    values: dict[str, Any]
    outdated: str | None = None  # the older version that it had
    damage: str | None = None
    sources: str = ""  # where the items of a damaged document came from


class Store:
    """The document at ``path``; ``version`` is its schema, and ``defaults`` its members where there is no file yet.

    Members of ``defaults`` that are objects have to be objects in every file. A write waits ``timeout`` seconds for
    the lock. ``notify`` takes one line for a person; the default writes it to stderr.
    """

    def __init__(
        self,
        path: Path,
        *,
        version: str,
        defaults: Mapping[str, object],
        timeout: float = 10.0,
        notify: Callable[[str], None] = tell,
    ) -> None:
        if not path.name:
            raise CacheError(f"{path} cannot be used: it is a folder; name a file in it")
        self.path = path
        self.lock_path = path.with_suffix(".lock")
        if self.lock_path == path:
            raise CacheError(f"{path} cannot be used: its lock would have the same name; give it another ending")
        self._version = version
        self._defaults = {"version": version, **defaults}
        self._sections = [name for name, value in defaults.items() if isinstance(value, dict)]
        self._timeout = timeout
        self._notify = notify
        self._last_good = path.with_name(f"{path.name}.last-good")
        # Of one process a person gets one line, however many stores of one path it has.
        self._told = _told if notify is tell else {}

    def read(self) -> dict[str, Any]:
        """Give the document as it is now, the defaults where there is no file. Takes no lock and writes nothing.

        Of a damaged file it gives what can be had, and says so once. Raises ``CacheError`` where the file cannot be
        read, is no regular file, or has a version that is newer or unknown.
        """
        loaded = self._load()
        if loaded.damage and self._seen(loaded) not in self._told:
            place = self.path.with_name(f"{self.path.name}.damaged-<UTC time>")
            with suppress(CacheError):  # a folder that cannot be listed is the writer's trouble
                place = self._place(loaded)
            self._warn(loaded, place, f"the next change keeps the damaged file as {place}")
        return loaded.values

    def update(self, change: Callable[[dict[str, Any]], T], *, timeout: float | None = None) -> T:
        """Let ``change`` alter the document in place, as one transaction, and give what it returns.

        ``change`` has to depend on the document alone: it is called again where a process without the lock has
        replaced the file meanwhile. A document that it leaves as it was is not written, unless the file is damaged
        or of an older version. ``CacheError`` means that the old file is still in its place, unless it says that the
        new one could not be flushed, or the lock not released. ``timeout`` in seconds is for this one lock.
        """
        whole_file.resolve(self.path)  # before anything is made where a link leads
        whole_file.make_folder(self.path.parent)
        with self._locked(self._timeout if timeout is None else timeout) as hold:
            for _ in range(_ATTEMPTS):
                loaded = self._load()
                before = self._snapshot(loaded.values)
                result = change(loaded.values)
                unchanged = before == self._snapshot(loaded.values) and not loaded.damage and not loaded.outdated
                if unchanged or self._commit(loaded, self._render(loaded.values), hold):
                    return result
        raise CacheError(f"could not write {self.path}: another program keeps changing it without the lock; stop that")

    @contextmanager
    def _locked(self, timeout: float) -> Iterator[lock.Hold]:
        """Hold the lock; and then, where the path is a link, that of those who name the file behind it."""
        target = whole_file.resolve(self.path)
        behind = target.with_suffix(".lock")
        if behind == target:
            raise CacheError(f"{target} cannot be used: its lock would have the same name; give it another ending")
        with lock.held(self.lock_path, timeout) as ours:
            if behind == self.lock_path:
                yield ours
                return
            with lock.held(behind, timeout) as theirs:
                is_by_claim = ours.by_claim or theirs.by_claim
                yield lock.Hold(self.lock_path, is_by_claim, still=lambda: ours.still() and theirs.still())

    def probe_lock(self, timeout: float) -> None:
        """Take the lock, wait for it ``timeout`` seconds at most, and let it go; ``CacheError`` where that fails."""
        with lock.held(self.lock_path, timeout):
            pass

    def damage(self) -> str | None:
        """Say why the file, as it is now, is no whole document; ``None`` where it is one, or where there is none."""
        return self._load().damage

    def is_lost(self) -> bool:
        """Tell whether there is no file, though there was one: what the last write left is there."""
        return not os.path.lexists(self.path) and os.path.lexists(self._last_good)

    def damaged_copies(self) -> list[Path]:
        """List the damaged files that were set aside, oldest first."""
        pattern = re.compile(rf"{re.escape(self.path.name)}\.damaged-(\d{{8}}T\d{{6}}Z)(?:-(\d+))?")
        names: list[str] = []
        with whole_file.explained("list", self.path.parent), suppress(FileNotFoundError):
            names = os.listdir(self.path.parent)
        found = sorted((match[1], int(match[2] or 0), match[0]) for match in map(pattern.fullmatch, names) if match)
        return [self.path.with_name(name) for _, _, name in found]

    def _load(self) -> _Loaded:
        target = whole_file.resolve(self.path)
        raw = whole_file.read(target)
        if raw is None:
            return _Loaded(target, None, copy.deepcopy(self._defaults))
        reading = document.parse(raw, self._sections)
        outdated = self._outdated(reading.values, self.path)
        if reading.damage is None:
            return _Loaded(target, raw, self._completed(reading.values), outdated)
        sources = self._restore(reading)
        return _Loaded(target, raw, self._completed(reading.values), None, reading.damage, sources)

    def _restore(self, reading: document.Parsed) -> str:
        """Fill in what only the last good copy has. Says how many items came from where."""
        good = document.parse(whole_file.read(self._last_good) or b"", self._sections)
        self._outdated(good.values, self._last_good)
        readable = reading.count(self._sections)
        for name, value in good.values.items():
            if name in self._sections:
                reading.values[name] = {**value, **reading.values.get(name, {})}
            else:
                reading.values.setdefault(name, value)
        restored = reading.count(self._sections) - readable
        return f"{readable} entries could be read, {restored} came from the last good copy"

    def _completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """Put the version first, and in the defaults where they are missing."""
        return copy.deepcopy(self._defaults) | values | {"version": self._version}

    def _outdated(self, values: Mapping[str, Any], path: Path) -> str | None:
        """Name the older version that the values have; one that is newer or unknown is refused."""
        found = values.get("version")
        if found == self._version:
            return None
        if found is None:
            return "unversioned"
        known, ours = document.version_key(found), document.version_key(self._version)
        if known is None or ours is None:
            raise CacheError(
                f"{path} has a version that this prime-uve does not know, and is left as it is: upgrade prime-uve, or "
                f"move the file away"
            )
        if known > ours:
            raise CacheError(
                f"{path} was written by a newer prime-uve (version {found}; this one knows {self._version}), and is "
                f"left as it is: upgrade prime-uve"
            )
        return str(found)

    def _commit(self, loaded: _Loaded, data: bytes, hold: lock.Hold) -> bool:
        """Put ``data`` in the place of what was loaded. False where something else is there by now."""
        folders, names = {self.path.parent, loaded.target.parent}, {self.path.name, loaded.target.name}
        hold.confirm()  # or it would be the files of another that are swept
        whole_file.sweep(folders, names)
        kept = self._keep(loaded)
        with whole_file.explained("write", loaded.target), whole_file.beside(loaded.target, data) as scratch:
            if hold.by_claim:
                # Nobody from whom the lock was taken over can rename from here on: see `claims`. Having made a file
                # of our own there, we see the folder as the file server has it.
                whole_file.sweep(folders, names, but=scratch)
            hold.confirm()
            # The lock may lie (somebody deleted its file), so look again. Opening the file anew, unlike asking for
            # its size and time, also gets past what a network file system remembers.
            if whole_file.read(loaded.target) != loaded.raw:
                return False
            try:
                whole_file.put(scratch, loaded.target)
            except FileNotFoundError:  # somebody has swept it
                hold.confirm()
                return False
        if loaded.damage and kept is not None:
            self._forget_copies(kept)
            if self._told.get(self._seen(loaded)) != kept:
                self._warn(loaded, kept, f"the damaged file is kept as {kept}")
        # For the day on which the file is damaged; without it the document is just as complete.
        with suppress(OSError), whole_file.beside(self._last_good, data, flush=False) as scratch:
            whole_file.rename(scratch, self._last_good)
        return True

    def _keep(self, loaded: _Loaded) -> Path | None:
        """Keep the bytes of a damaged or older file under a name that is free, or that holds them already."""
        if loaded.raw is None or not (loaded.damage or loaded.outdated):
            return None
        place = self._place(loaded)
        if not os.path.lexists(place):
            with whole_file.explained("write", place), whole_file.beside(place, loaded.raw) as scratch:
                whole_file.put(scratch, place)
        return place

    def _place(self, loaded: _Loaded) -> Path:
        """Say where the bytes of a damaged or older file are kept, or are to be: each who asks gets the same answer."""
        ending, candidates = f"v{loaded.outdated}", []
        if loaded.damage:
            # By the time of the file, which a reader and the writer after it agree on.
            ending = f"damaged-{_time_of(loaded.target):%Y%m%dT%H%M%SZ}"
            candidates = self.damaged_copies()[-1:]
        name = f"{self.path.name}.{ending}"
        place, number = self.path.with_name(name), 0
        while os.path.lexists(place):
            candidates.append(place)
            number += 1
            place = self.path.with_name(f"{name}-{number}")
        # A writer that was killed after this point must not make each of its successors keep the same bytes again.
        kept = (candidate for candidate in candidates if whole_file.holds(candidate, loaded.raw or b""))
        return next(kept, place)

    def _forget_copies(self, newest: Path | None) -> None:
        """Remove the oldest damaged files beyond the number kept, but never the one that was just made."""
        with suppress(CacheError):  # the write is done; what stays now goes the next time
            others = [path for path in self.damaged_copies() if path != newest]
            for path in others[: max(0, len(others) + 1 - _COPIES_KEPT)]:
                with suppress(OSError):
                    os.unlink(path)

    def _snapshot(self, values: dict[str, Any]) -> bytes:
        """Give bytes that are others where the values are others, for a fifth of the time that rendering takes."""
        try:
            return marshal.dumps(values, 2)  # from version 3 on, who else has a value makes a difference
        except ValueError:  # no plain value, or nested too deeply: for rendering to refuse
            return self._render(values)

    def _render(self, values: Mapping[str, Any]) -> bytes:
        try:
            return document.render(values)
        except RecursionError:
            raise CacheError(f"could not write {self.path}: the document is nested too deeply") from None

    def _seen(self, loaded: _Loaded) -> tuple[Path, int]:
        return self.path, hash(loaded.raw)

    def _warn(self, loaded: _Loaded, place: Path, kept: str) -> None:
        self._told[self._seen(loaded)] = place
        self._notify(f"prime-uve: {self.path} is damaged ({loaded.damage}): {loaded.sources}; {kept}")


def _time_of(file: Path) -> datetime:
    """Return when a file was last changed; the present time where that is no good."""
    try:
        seconds = os.stat(file).st_mtime
    except OSError:
        seconds = -1
    return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds <= _LAST_SECOND else datetime.now(UTC)
