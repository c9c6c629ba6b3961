"""What there is below a folder, to be compared with what there was."""

import os
from pathlib import Path


def tree(*folders: Path) -> dict[str, bytes]:
    """Return all that lies below the folders, by path: the bytes of files, where links lead, nothing for the rest."""
    found = {}
    for path in (path for folder in folders for path in folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = os.fsencode(path.readlink())
        else:
            found[str(path)] = path.read_bytes() if path.is_file() else b""
    return found
