"""The gate to deletion: a real environment of this account passes, right in a base, if uv is not at work in it.

A base is opened once, and all that is asked and done afterwards goes through the descriptors of the base and of the
environment: whoever exchanges a folder for a link in between changes nothing that matters. Where the system has no
such descriptors (Windows), the same is asked and done by paths.
"""

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prime_uve.core.deadline import Look, answers
from prime_uve.core.marker import ENVIRONMENT_SIGN
from prime_uve.core.mounts import MountTable, read_table
from prime_uve.core.paths import bases, home, is_folder, quoted, upwards
from prime_uve.core.processes import LOCK, is_locked
from prime_uve.core.removal.pruning import Grounds, is_strict
from prime_uve.errors import PrimeUveError

Identity = tuple[int, int]  # device and inode

HAS_DESCRIPTORS = {os.mkdir, os.open, os.rename, os.stat} <= os.supports_dir_fd
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FILE = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
FOLDER = _FILE | getattr(os, "O_DIRECTORY", 0)


class NotAdmittedError(PrimeUveError):
    """The gate stays shut; `grounds` say why, and what would change that."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(f"{why}; {remedy}")
        self.grounds = Grounds(why, remedy)


@contextmanager
def refusing(why: str, path: str) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a refusal."""
    try:
        yield
    except OSError as error:
        raise NotAdmittedError(f"{why}: {error.strerror or error}", f"see ls -la {quoted(path)}") from error


@dataclass(slots=True)
class Admitted:
    """An environment that has passed: `name` in its base, and `away`, its name in the trash once it is there.

    `folder` keeps it from other prunes, and `lock` from uv, until `release`; ``None`` where there is no descriptor.
    """

    name: str
    identity: Identity
    folder: int | None = None
    lock: int | None = None
    away: str = ""

    def release(self) -> None:
        """Let folder and lock go."""
        close(self.lock, self.folder)
        self.lock = self.folder = None


def protected(registry: Path) -> dict[Identity, str]:
    """Return what no environment may be or hold, by identity.

    That is home, working directory, registry, this Python, and each base that answers.
    """
    places = {
        "the home directory": home(),
        "the working directory": os.curdir,
        "the registry": os.path.dirname(registry),
        "the Python that runs prime-uve": sys.prefix,
    }
    found: dict[Identity, str] = {}
    for what, place in places.items():
        for folder in _around(place):
            found.setdefault(folder, what)
    table = read_table()
    around = answers([Look(base, table.point_of(base), partial(_around, base)) for base in dict.fromkeys(bases())])
    for base, folders in around.items():
        for folder in folders:
            found.setdefault(folder, f"the folder of environments {base!r}")
    return found


def _around(place: str) -> list[Identity]:
    """Return the identities of a folder and of those that it lies in, as far as they can be looked at."""
    found = []
    with suppress(OSError):  # a working directory that is gone
        for folder in upwards(os.path.realpath(place)):
            with suppress(OSError):
                found.append(identity(os.stat(folder)))
    return found


class Gate:
    """One base, opened. Where the answer is no, a method raises `NotAdmittedError`.

    `real` is the base with its links resolved.

    Args:
        base: absolute; it may be a link itself.
        protected: what no environment may be or hold, see `protected`.
        mounts: what is mounted now.
    """

    def __init__(self, base: str, protected: Mapping[Identity, str], mounts: MountTable) -> None:
        self.base = base
        self.descriptor: int | None = None
        self._protected = protected
        self._mounts = mounts
        with refusing(f"its base {base!r} cannot be opened", base):
            self.real = os.path.realpath(base)
            if HAS_DESCRIPTORS:
                self.descriptor = os.open(base, FOLDER)
            self.device = os.stat(base if self.descriptor is None else self.descriptor).st_dev

    def close(self) -> None:
        """Let the base go."""
        close(self.descriptor)
        self.descriptor = None

    def at(self, name: str) -> str:
        """Return what stands for a child of the base beside ``dir_fd=gate.descriptor``."""
        return name if self.descriptor is not None else os.path.join(self.base, name)

    def admit(self, name: str) -> Admitted:
        """Let the environment `name` pass, if it may be deleted; it is held until it is released."""
        path = os.path.join(self.base, name)
        if not is_strict(name):
            raise NotAdmittedError("its name is not one of an environment", f"see ls -la {quoted(path)}")
        with refusing("it cannot be opened as a folder", path):
            folder = open_folder(self, name)
            try:
                facts = os.lstat(path) if folder is None else os.fstat(folder)
            except BaseException:
                close(folder)
                raise
        admitted = Admitted(name, identity(facts), folder)
        try:
            self._judge(admitted, facts, path)
            hold(admitted, path)
        except BaseException:
            admitted.release()
            raise
        return admitted

    def _judge(self, admitted: Admitted, facts: os.stat_result, path: str) -> None:
        look = f"see ls -la {quoted(path)}"
        if not is_folder(facts):
            raise NotAdmittedError("it is no folder", look)
        if not is_ours(facts):
            raise NotAdmittedError(f"it belongs to another user (uid {facts.st_uid})", f"they can remove it; {look}")
        if admitted.identity in self._protected:
            raise NotAdmittedError(
                f"{self._protected[admitted.identity]} lies in it", "go elsewhere, or move that out: cd"
            )
        mounted = self._mounts.inside(os.path.join(self.real, admitted.name))
        if facts.st_dev != self.device or mounted:
            point = (mounted or [path])[0]
            raise NotAdmittedError(
                "another file system is mounted in it", f"unmount that first: umount {quoted(point)}"
            )
        sign = os.path.join(path, ENVIRONMENT_SIGN) if admitted.folder is None else ENVIRONMENT_SIGN
        with refusing(f"it holds no {ENVIRONMENT_SIGN}, so it may be no environment", path):
            found = os.stat(sign, dir_fd=admitted.folder, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise NotAdmittedError(f"its {ENVIRONMENT_SIGN} is no file, so it may be no environment", look)


def open_folder(gate: Gate, name: str) -> int | None:
    """Open a child of the base, which must be no link; ``None`` where there are no such descriptors.

    Raises:
        OSError: it is no folder, or cannot be opened.
    """
    return os.open(name, FOLDER | NO_LINK, dir_fd=gate.descriptor) if gate.descriptor is not None else None


def hold(admitted: Admitted, path: str) -> None:
    """Hold the folder against other prunes, and its lock against uv.

    Raises:
        NotAdmittedError: somebody else holds one of them.
    """
    busy = NotAdmittedError("uv is at work in it (it holds its lock)", "wait until uv is done")
    if admitted.folder is None:
        if is_locked(path):
            raise busy
        return
    if not try_lock(admitted.folder):
        raise NotAdmittedError("another prime-uve is at it", "wait until that is done")
    if admitted.lock is None:
        try:
            admitted.lock = os.open(LOCK, _FILE | NO_LINK, dir_fd=admitted.folder)
        except FileNotFoundError:
            return  # nobody holds what is not there
        except OSError as error:
            raise NotAdmittedError(
                f"its {LOCK} cannot be opened: {error.strerror}", f"see ls -la {quoted(path)}"
            ) from error
    if not try_lock(admitted.lock):
        raise busy


def is_ours(facts: os.stat_result) -> bool:
    """Tell whether it belongs to this account; on Windows, where nobody says, whether it can be seen."""
    return not hasattr(os, "geteuid") or facts.st_uid == os.geteuid()


def identity(facts: os.stat_result) -> Identity:
    """Return what a folder is known by, whatever its path."""
    return facts.st_dev, facts.st_ino


def close(*descriptors: int | None) -> None:
    """Close what is open. Nothing was written by these, and what fails is closed all the same."""
    for descriptor in descriptors:
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)


if sys.platform == "win32":

    def try_lock(descriptor: int) -> bool:
        """Nothing is locked by descriptors here."""
        del descriptor
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock what is open until it is closed; return whether nobody else has.

        Where there are no locks, nobody has one.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # NFS has no exclusive lock for what is open for reading alone
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            except OSError:
                return True
        return True
