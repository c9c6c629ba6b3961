"""Many looks at what may hang, with an end.

A call into a file system that does not answer cannot be taken back: no signal ends it, and a pool would wait for it
when the program ends. So each look is made in a daemon thread, which is left behind where it hangs.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Generic, TypeVar

from prime_uve.core.mounts import MountTable, read_table

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")

LOOK_SECONDS = 5.0  # how long what says nothing is waited for, by default

_MOST_WORKERS = 64  # for one place
# Where nothing came of a place for so long, it waits for a disk or for the network, and another worker is worth it.
_PATIENCE_SECONDS = 0.002
# A place that had a look hanging, and has it still, is asked again, but not waited for as long, nor by as many.
_SUSPECT_SECONDS = 0.5
_SUSPECT_WORKERS = 4

_GRACE_SECONDS = 0.5  # what answers at all has this long, however late it has become

_hanging: dict[str, list[threading.Thread]] = {}


@dataclass(frozen=True, slots=True)
class Look(Generic[K, R]):
    """One look: its `key`, the `place` that may hang as a whole (a mount point), and what finds the answer."""

    key: K
    place: str
    ask: Callable[[], R]


def answers(looks: Collection[Look[K, R]], timeout: float = LOOK_SECONDS) -> dict[K, R]:
    """Make all looks at once, and return by key what came of those that ended.

    A place that has said nothing for `timeout` seconds is given up: what it has not answered by then is missing in the
    result. So a place that hangs costs this time once, however many looks are at it; a slow one, that says something
    now and then, is waited for; and no place waits for another. A place that was given up before, and hangs to this
    moment, costs half a second.

    Args:
        looks: keys differ; each look has to bear being left in the middle.
        timeout: seconds.

    Raises:
        BaseException: whatever a look raised.
    """
    places: dict[str, list[Look[K, R]]] = {}
    for look in looks:
        places.setdefault(look.place, []).append(look)
    woken = threading.Event()
    crews = [_Crew(place, at_it, timeout, woken) for place, at_it in places.items()]
    try:
        _wait(crews, woken)
    finally:
        for crew in crews:
            crew.dismiss()
    return {key: answer for crew in crews for key, answer in crew.answered}


def _wait(crews: "Collection[_Crew[K, R]]", woken: threading.Event) -> None:
    busy = [crew for crew in crews if not crew.is_done()]
    while busy:
        woken.wait(min(crew.patience() for crew in busy))
        woken.clear()
        for crew in busy:
            crew.tend()
        busy = [crew for crew in busy if not crew.is_done()]


class Rounds:
    """Several rounds of looks, which together have an end; each is made at the mount that its path lies on.

    Args:
        timeout: seconds from now on; a round that begins late has half a second all the same.
    """

    def __init__(self, timeout: float = LOOK_SECONDS) -> None:
        self.mounts: MountTable = read_table()
        self._until = monotonic() + timeout

    def left(self) -> float:
        """Return for how many seconds the next round may wait."""
        return max(_GRACE_SECONDS, self._until - monotonic())

    def ask(self, questions: Mapping[str, Callable[[], R]]) -> dict[str, R]:
        """Ask a question about each path; what is not answered in time is missing. See `answers`."""
        looks = [Look(path, self.mounts.point_of(path), question) for path, question in questions.items()]
        return answers(looks, self.left()) if looks else {}


class _Crew(Generic[K, R]):
    """The workers at one place. All but `work` is called by the thread that waits."""

    def __init__(self, place: str, looks: Collection[Look[K, R]], timeout: float, woken: threading.Event) -> None:
        self.answered: list[tuple[K, R]] = []  # what appends to a list needs no lock
        self._place = place
        self._count = len(looks)
        self._waiting = deque(looks)
        self._woken = woken
        self._failures: list[BaseException] = []
        self._workers: list[threading.Thread] = []
        is_suspect = any(worker.is_alive() for worker in _hanging.get(place, ()))
        self._timeout = min(timeout, _SUSPECT_SECONDS) if is_suspect else timeout
        self._most = _SUSPECT_WORKERS if is_suspect else _MOST_WORKERS
        self._heard = 0  # how many had answered when we last looked, and since when
        self._since = self._grown = monotonic()
        self._add_worker()

    def is_done(self) -> bool:
        """Tell whether there is nothing more to wait for.

        Raises:
            BaseException: what a look raised.
        """
        if self._failures:
            raise self._failures[0]
        return len(self.answered) == self._count or monotonic() - self._since >= self._timeout

    def patience(self) -> float:
        """Return for how many seconds nothing has to be done here, unless a worker ends."""
        left = max(0.0, self._since + self._timeout - monotonic())
        return min(left, _PATIENCE_SECONDS) if self._could_grow() else left

    def tend(self) -> None:
        """Add a worker if nothing has been answered for a while."""
        heard, now = len(self.answered), monotonic()
        if heard != self._heard:
            self._heard, self._since, self._grown = heard, now, now
        elif self._could_grow() and now - self._grown >= _PATIENCE_SECONDS:
            self._grown = now
            self._add_worker()

    def dismiss(self) -> None:
        """Have no more looks made; wait for the workers to end, unless one hangs: then remember that."""
        self._waiting.clear()
        if len(self.answered) == self._count:
            for worker in self._workers:
                worker.join()
            _hanging.pop(self._place, None)
        else:
            _hanging[self._place] = self._workers

    def _could_grow(self) -> bool:
        return bool(self._waiting) and len(self._workers) < self._most

    def _add_worker(self) -> None:
        worker = threading.Thread(target=self._work, name=f"look at {self._place}", daemon=True)
        try:
            worker.start()
        except RuntimeError:  # the system gives us no more threads
            self._most = 0
            if not self._workers:
                self._work()
        else:
            self._workers.append(worker)

    def _work(self) -> None:
        with _Caught(self._failures):
            while self._waiting:
                try:
                    look = self._waiting.popleft()
                except IndexError:  # another was faster
                    break
                self.answered.append((look.key, look.ask()))
        self._woken.set()


class _Caught:
    """Catches what its block raises, for the thread that waits: a bug keeps its traceback."""

    def __init__(self, failures: list[BaseException]) -> None:
        self._failures = failures

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is not None:
            self._failures.append(error)
        return True
