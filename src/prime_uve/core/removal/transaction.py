"""One transaction of a prune: look again, decide again, rename into the trash, and let the mappings go; or nothing."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from time import time
from typing import Any

from prime_uve.core.cache import Cache
from prime_uve.core.deadline import LOOK_SECONDS
from prime_uve.core.inventory import Inventory, take_inventory
from prime_uve.core.mounts import read_table
from prime_uve.core.processes import find_users
from prime_uve.core.removal.gate import Admitted, Gate, NotAdmittedError, protected
from prime_uve.core.removal.pruning import Choice, Grounds, Refusal, Target, choose, refuse
from prime_uve.core.removal.trash import Trash
from prime_uve.errors import CacheError, RefusalError

_ATTEMPTS = 5
_CHANGED = Grounds("it is no longer what it was when this was planned", "look again: prime-uve prune --dry-run")
_BUSY = Grounds("the registry keeps changing", "try again when nothing is being registered")


def insist_on_health(cache: Cache) -> None:
    """Refuse to go on where the registry is or was damaged and no person has looked at it.

    Raises:
        CacheError: it cannot be read.
        RefusalError: it is damaged, or was.
    """
    damage = cache.damage()
    unseen = [os.fspath(path) for path in cache.unseen_damage()]
    if damage or unseen:
        what = f"{os.fspath(cache.path)!r} is damaged ({damage})" if damage else f"it was damaged, see {unseen[-1]!r}"
        raise RefusalError(f"nothing is pruned by a registry that lost something: {what}; look first: prime-uve doctor")


def in_use(paths: Collection[str], timeout: float, *, is_held: bool = False) -> dict[str, Grounds]:
    """Return which of the environments are in use, and by whom; `is_held`: their locks are ours.

    Raises:
        RefusalError: that cannot be known.
    """
    try:
        found = find_users(paths, timeout=timeout, insist=True) if paths else {}
    except OSError as error:
        raise RefusalError(
            f"nothing is pruned while the running processes cannot be looked at: {error.strerror or error}; try again"
        ) from error
    used = {path: [user for user in users if user.pid is not None or not is_held] for path, users in found.items()}
    return {
        path: Grounds(f"it is in use: {'; '.join(map(str, users))}", "end that, and try again")
        for path, users in used.items()
        if users
    }


class Gates:
    """The gates and trashes of the bases: opened as they are needed, closed with the stack."""

    def __init__(self, cache: Cache, stack: ExitStack) -> None:
        self._stack = stack
        self._protected = protected(cache.path)
        self._mounts = read_table()
        self._opened: dict[str, tuple[Gate, Trash]] = {}

    def gate(self, base: str) -> Gate:
        """Return the gate of a base.

        Raises:
            NotAdmittedError: the base cannot be opened.
        """
        return self._of(base)[0]

    def trash(self, base: str) -> Trash:
        """Return the trash of a base, which is not opened yet.

        Raises:
            NotAdmittedError: the base cannot be opened.
        """
        return self._of(base)[1]

    def _of(self, base: str) -> tuple[Gate, Trash]:
        if base not in self._opened:
            gate = Gate(base, self._protected, self._mounts)
            self._stack.callback(gate.close)
            self._opened[base] = gate, Trash(gate)
            self._stack.callback(self._opened[base][1].close)
        return self._opened[base]


class Transaction:
    """Targets of one choice that go together; afterwards each is either in `gone` or in `refusals`.

    A target that is there is in `gone` with what it was admitted as, which names it in the trash.
    """

    def __init__(self, cache: Cache, gates: Gates, choice: Choice, targets: Sequence[Target]) -> None:
        self.gone: list[tuple[Target, Admitted | None]] = []
        self.refusals: list[Refusal] = []
        self._cache = cache
        self._gates = gates
        self._choice = choice
        self._targets = targets

    def carry_out(self, timeout: float, also: Collection[str]) -> None:
        """Do it; arguments as for `take_inventory`.

        Raises:
            CacheError: the registry cannot be read or written; everything is where it was.
            RefusalError: the registry is damaged.
        """
        try:
            for _ in range(_ATTEMPTS):
                insist_on_health(self._cache)
                inventory = take_inventory(self._cache, timeout=timeout, also=also)
                wanted = self._decide_again(inventory, timeout)
                if not wanted or self._write(partial(self._change, inventory.rows, wanted, list(self.refusals))):
                    return
            self.refusals = [refuse(each.environment, _BUSY) for each in self._targets]
        finally:
            for _, admitted in self.gone:
                if admitted is not None:
                    admitted.release()

    def _decide_again(self, inventory: Inventory, timeout: float) -> list[Target]:
        """Return the targets that the same choice still means, as they are now; refuse the others."""
        chosen = choose(inventory, self._choice, now=time())
        targets = {target.environment.path: target for target in chosen.targets}
        refusals = {refusal.path: refusal for refusal in chosen.refusals}
        self.refusals, wanted = [], []
        for planned in self._targets:
            path = planned.environment.path
            target = targets.get(path)
            if target is not None and target.is_there == planned.is_there:
                wanted.append(replace(target, measurement=planned.measurement))
            else:
                self.refusals.append(refusals.get(path) or refuse(planned.environment, _CHANGED))
        used = in_use([each.environment.path for each in wanted if each.is_there], timeout)
        self.refusals += [
            refuse(each.environment, used[path]) for each in wanted if (path := each.environment.path) in used
        ]
        return [each for each in wanted if each.environment.path not in used]

    def _write(self, change: Callable[[dict[str, Any]], bool]) -> bool:
        """Change the registry; where it could not be written, put everything back."""
        try:
            return self._cache.edit(change)
        except BaseException as error:
            if not self._is_written():
                self._undo()
                raise
            if not isinstance(error, CacheError):  # what could not be flushed, or unlocked, is done all the same
                raise
            return True

    def _change(
        self, seen: Mapping[str, object], wanted: Sequence[Target], refusals: list[Refusal], rows: dict[str, Any]
    ) -> bool:
        """Rename and forget, if the rows are those that were decided on; it may be called again."""
        self._undo()
        self.refusals = list(refusals)
        if _essence(rows) != _essence(seen):
            return False
        for target in wanted:
            try:
                self._take(target)
            except NotAdmittedError as error:
                self.refusals.append(refuse(target.environment, error.grounds))
        self._put_back_what_is_used()
        for target, _ in self.gone:
            for project in target.mappings:
                rows.pop(project, None)
        return True

    def _take(self, target: Target) -> None:
        environment = target.environment
        if not target.is_there or environment.base is None:
            if os.path.lexists(environment.path):
                raise NotAdmittedError(*_CHANGED)
            self.gone.append((target, None))
            return
        admitted = self._gates.gate(environment.base).admit(os.path.basename(environment.path))
        self.gone.append((target, admitted))  # before it is taken, so that an interrupt finds it
        try:
            self._gates.trash(environment.base).take(admitted)
        except NotAdmittedError:
            self.gone.pop()
            admitted.release()
            raise

    def _put_back_what_is_used(self) -> None:
        """Look for processes that came in before the folders were away: there, no other can reach them."""
        places = {self.place(target, admitted): (target, admitted) for target, admitted in self.gone if admitted}
        for place, grounds in in_use(list(places), LOOK_SECONDS, is_held=True).items():
            target, admitted = places[place]
            self.gone.remove((target, admitted))
            self._put_back(target, admitted, grounds)
        for base in {target.environment.base for target, admitted in self.gone if admitted}:
            self._gates.trash(base or "").settle()

    def place(self, target: Target, admitted: Admitted) -> str:
        """Return where a target lies in the trash."""
        return os.path.join(self._gates.trash(target.environment.base or "").path, admitted.away)

    def _undo(self) -> None:
        """Put everything back."""
        while self.gone:
            target, admitted = self.gone.pop()
            if admitted is not None:
                self._put_back(target, admitted, None)

    def _put_back(self, target: Target, admitted: Admitted, grounds: Grounds | None) -> None:
        try:
            self._gates.trash(target.environment.base or "").put_back(admitted)
        except NotAdmittedError as error:
            grounds = error.grounds
        finally:
            admitted.release()
        if grounds is not None:
            self.refusals.append(refuse(target.environment, grounds))

    def _is_written(self) -> bool:
        """Whether the registry has let the mappings go."""
        mappings = {project for target, _ in self.gone for project in target.mappings}
        try:
            return bool(mappings) and mappings.isdisjoint(self._cache.rows())
        except CacheError:
            return False


def _essence(rows: Mapping[str, object]) -> dict[str, object]:
    """Return rows without the stamp of their last validation, which decides nothing."""
    return {
        project: {name: value for name, value in row.items() if name != "last_validated"}
        if isinstance(row, dict)
        else row
        for project, row in rows.items()
    }
