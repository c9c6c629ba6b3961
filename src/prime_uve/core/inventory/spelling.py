"""One place, one spelling: paths to environments as they are compared, through whatever links they are reached."""

import os
import sys
from collections.abc import Iterable


class Places:
    """Spells paths with the bases as a person wrote them; what has another spelling of a base's path gets that.

    Folders are resolved once each; a path whose folder nobody resolved is spelled as it is written.
    """

    def __init__(self, bases: Iterable[str]) -> None:
        self._bases = list(bases)
        self._real: dict[str, str] = {}
        self._homes: dict[str, tuple[str, str | None]] = {}

    def resolve(self, folder: str) -> None:
        """Follow the links of a folder. It looks at the disk, and can hang where that does."""
        self._homes.clear()
        try:
            self._real[folder] = os.path.realpath(folder)
        except (OSError, ValueError):
            self._real[folder] = os.path.normpath(folder)

    def unresolved(self, paths: Iterable[str]) -> set[str]:
        """Return the folders of `paths` that are still to be resolved."""
        return {self._split(path)[0] for path in paths} - self._real.keys()

    def spelled(self, path: str) -> tuple[str, str | None]:
        """Return `path` in its one spelling, and the base that it is a direct child of.

        The last part is taken as it is: an environment that is a link is a place of its own.
        """
        folder, name = self._split(path)
        if folder not in self._homes:
            real = self._real.get(folder, folder)
            known = (base for base in self._bases if folded(self._real.get(base, base)) == folded(real))
            base = next(known, None)
            self._homes[folder] = real if base is None else base, base
        place, base = self._homes[folder]
        return f"{place.rstrip(os.sep)}{os.sep}{name}", base

    def child_around(self, path: str) -> str | None:
        """Return the direct child of a base that is `path`, a resolved one, or that it lies in."""
        for base in self._bases:
            real = os.path.join(self._real.get(base, base), "")
            if folded(path).startswith(folded(real)):
                name = path[len(real) :].split(os.sep, 1)[0]
                return os.path.join(base, name) if name else None
        return None

    @staticmethod
    def _split(path: str) -> tuple[str, str]:
        folder, name = os.path.split(path.rstrip(os.sep))
        if name in {"", os.curdir, os.pardir}:
            folder, name = os.path.split(os.path.normpath(path))
        return folder, name


def folded(path: str) -> str:
    """Return what two spellings of one path have in common on file systems that are blind to case."""
    if sys.platform == "darwin":
        import unicodedata

        return unicodedata.normalize("NFC", path).casefold()
    return os.path.normcase(path)
