"""Is this mapping in the registry, byte for byte? A look without json and without a lock.

Hot: imports only what a bare interpreter has already loaded.
"""

import os
import stat

from prime_uve.core.paths import open_at_once, registry_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

LARGEST = 128 << 20  # bytes, as in `prime_uve.core.whole_file`
BLOCK = 1 << 16  # bytes; memory of this size is used again, where that for all of a large registry is new each time
SECTION = b'\n  "venvs": {\n'
MEMBER = b'\n  "'  # how a line begins that is of the document itself, not of one of its sections
END = b"\n}\n"


def is_registered(project: str, venv_path: str) -> bool:
    """Tell whether the registry maps `project` (a resolved path) to `venv_path`, letter for letter.

    ``True`` is certain: the registry is written in one layout (`prime_uve.core.document`), with a raw newline before
    each row, which no JSON string can hold. ``False`` means "look again with json": an absent or unreadable
    registry, another layout, a path that JSON escapes.

    Raises:
        CacheError: nothing says where the registry is.
    """
    if not (_is_plain(project) and _is_plain(venv_path)):
        return False
    path = registry_path()
    try:
        with open(path, "rb", opener=open_at_once) as stream:
            facts = os.fstat(stream.fileno())
            if not stat.S_ISREG(facts.st_mode) or not len(END) < facts.st_size <= LARGEST:
                return False
            stream.seek(-len(END), os.SEEK_END)
            is_whole = stream.read() == END
            stream.seek(0)
            return is_whole and _has_row(stream, f'"{project}": {{"venv_path": "{venv_path}"'.encode())
    except OSError:
        return False


def _has_row(stream: "BinaryIO", row: bytes) -> bool:
    is_section = False
    while lines := stream.read(BLOCK):
        lines = b"\n" + lines + stream.readline()
        # Without what stands before it, the row is found in less time.
        at = lines.find(row)
        while at >= 0:
            member = lines.rfind(MEMBER, 0, at)
            is_in = is_section if member < 0 else lines.startswith(SECTION, member)
            if is_in and lines.startswith(b"\n    ", at - 5):
                return True
            at = lines.find(row, at + 1)
        member = lines.rfind(MEMBER)
        is_section = is_section if member < 0 else lines.startswith(SECTION, member)
    return False


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text
