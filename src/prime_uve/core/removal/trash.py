"""The trash of a base, ``.trash``: what is to be removed lies there until it is, and from there it can be put back.

Only this account can look into it. A rename brings an environment there as a whole, so that it is never half of itself
in its old place, whatever happens while its files are removed.
"""

import os
import re
import secrets
import stat
from contextlib import suppress
from errno import EEXIST

from prime_uve.core.mounts import read_table
from prime_uve.core.paths import TRASH, is_folder, quoted
from prime_uve.core.removal.gate import (
    FOLDER,
    NO_LINK,
    Admitted,
    Gate,
    NotAdmittedError,
    close,
    hold,
    identity,
    is_ours,
    open_folder,
    refusing,
    try_lock,
)

_NAME_BYTES = 16
_NAME = re.compile(rf"[0-9a-f]{{{2 * _NAME_BYTES}}}")


class Trash:
    """The trash of the base of an open gate; `descriptor` is ``None`` where there are none, or it is not open yet."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.path = os.path.join(gate.base, TRASH)
        self.descriptor: int | None = None

    def close(self) -> None:
        """Let it go."""
        close(self.descriptor)
        self.descriptor = None

    def at(self, away: str) -> str:
        """Return what stands for something in the trash beside ``dir_fd=trash.descriptor``."""
        return away if self.descriptor is not None else os.path.join(self.path, away)

    def mounted_in(self, away: str) -> list[str]:
        """Return where something is mounted now in what lies in the trash: that is not part of it."""
        return read_table().inside(os.path.join(self._gate.real, TRASH, away))

    def take(self, admitted: Admitted) -> None:
        """Rename an environment into the trash, and put back what turns out to be another, or in use.

        Raises:
            NotAdmittedError: it is where it was.
        """
        path = os.path.join(self._gate.base, admitted.name)
        self.open()
        admitted.away = secrets.token_hex(_NAME_BYTES)  # before it is done, so that an interrupt finds it
        try:
            with refusing("it cannot be renamed", path):
                if self.descriptor is not None:
                    os.fchmod(self.descriptor, stat.S_IRWXU)  # whoever made it, and under whatever umask
                self._rename(admitted)
                facts = os.stat(self.at(admitted.away), dir_fd=self.descriptor, follow_symlinks=False)
            _insist_on(admitted, facts)
            hold(admitted, os.path.join(self.path, admitted.away))  # uv may have come in before it was away
        except BaseException:
            self.put_back(admitted)
            raise

    def put_back(self, admitted: Admitted) -> None:
        """Undo `take`; what was not taken stays as it is.

        Raises:
            NotAdmittedError: it lies in the trash, and says where.
        """
        away, admitted.away = admitted.away, ""
        if not away or not _exists(self.at(away), self.descriptor):
            return
        place, base = self._gate.at(admitted.name), self._gate.descriptor
        with refusing(f"it could not be put back, and lies in {os.path.join(self.path, away)!r}", self.path):
            if _exists(place, base):
                raise FileExistsError(EEXIST, "something else is in its place now")
            os.rename(self.at(away), place, src_dir_fd=self.descriptor, dst_dir_fd=base)

    def settle(self) -> None:
        """Have the renames on the disk before the registry says that they were made. What fails is no failure."""
        for descriptor in (self._gate.descriptor, self.descriptor):
            if descriptor is not None:
                with suppress(OSError):
                    os.fsync(descriptor)

    def leftovers(self) -> list[str]:
        """Return the names of what this account has left in the trash, and no other prune is about to put back."""
        try:
            if not _exists(self._gate.at(TRASH), self._gate.descriptor):
                return []
            self.open()
            names = sorted(os.listdir(self.path if self.descriptor is None else self.descriptor))
        except (OSError, NotAdmittedError):
            return []
        return [name for name in names if _NAME.fullmatch(name) and self._is_left(name)]

    def open(self) -> None:
        """Open the trash; make it where it is missing.

        Raises:
            NotAdmittedError: what is there is no folder of this account alone.
        """
        if self.descriptor is not None:
            return
        with refusing(f"the trash {self.path!r} cannot be used", self.path):
            with suppress(FileExistsError):
                os.mkdir(self._gate.at(TRASH), stat.S_IRWXU, dir_fd=self._gate.descriptor)
            self.descriptor = open_folder(self._gate, TRASH)
            facts = os.lstat(self.path) if self.descriptor is None else os.fstat(self.descriptor)
        if not (is_folder(facts) and is_ours(facts) and facts.st_dev == self._gate.device):
            self.close()
            raise NotAdmittedError(
                f"the trash {self.path!r} is no folder of this account on that disk",
                f"move it away; see ls -ld {quoted(self.path)}",
            )

    def _rename(self, admitted: Admitted) -> None:
        """Rename an environment; one that may not be written cannot be moved, as its ``..`` would change."""
        try:
            self._rename_once(admitted)
        except PermissionError:
            if admitted.folder is None:
                raise
            mode = stat.S_IMODE(os.fstat(admitted.folder).st_mode)
            os.fchmod(admitted.folder, mode | stat.S_IRWXU)
            try:
                self._rename_once(admitted)
            except OSError:
                os.fchmod(admitted.folder, mode)
                raise

    def _rename_once(self, admitted: Admitted) -> None:
        source, target = self._gate.at(admitted.name), self.at(admitted.away)
        os.rename(source, target, src_dir_fd=self._gate.descriptor, dst_dir_fd=self.descriptor)

    def _is_left(self, name: str) -> bool:
        try:
            facts = os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)
            if not is_ours(facts):
                return False
            if self.descriptor is None or not is_folder(facts):
                return True
            folder = os.open(name, FOLDER | NO_LINK, dir_fd=self.descriptor)
        except OSError:  # it cannot be opened, and so nobody holds it
            return True
        try:
            return try_lock(folder)
        finally:
            close(folder)


def _insist_on(admitted: Admitted, facts: os.stat_result) -> None:
    if identity(facts) != admitted.identity:
        raise NotAdmittedError("something else was put in its place at that moment", "look again: prime-uve list")


def _exists(place: str, folder: int | None) -> bool:
    try:
        os.stat(place, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
