"""Is this mapping in the registry, byte for byte? A look without json and without a lock.

Hot: imports only what a bare interpreter has already loaded.
"""

import os
import stat

from prime_uve.core.paths import open_at_once, registry_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO

LARGEST = 128 << 20  # bytes, as in `prime_uve.core.store.whole_file`
BLOCK = 1 << 16  # bytes; memory of this size is used again, where that for all of a large registry is new each time
SECTION = b'\n  "venvs": {\n'
SECTION_END = b'\n  },\n  "'  # of one that another member follows
END = b"\n}\n"


def is_registered(project: str, venv_path: str) -> bool:
    """Tell whether the registry maps `project` (a resolved path) to `venv_path`, letter for letter.

    ``True`` is certain: the registry is written in one layout (`prime_uve.core.store.document`), with a raw newline
    before each row, which no JSON string can hold. ``False`` means "look again with json": an absent or unreadable
    registry, another layout, a path that JSON escapes.

    Raises:
        CacheError: nothing says where the registry is.
    """
    if not (_is_plain(project) and _is_plain(venv_path)):
        return False
    path = registry_path()
    try:
        with open(path, "rb", buffering=0, opener=open_at_once) as stream:
            facts = os.fstat(stream.fileno())
            if not stat.S_ISREG(facts.st_mode) or not len(END) < facts.st_size <= LARGEST:
                return False
            stream.seek(-len(END), os.SEEK_END)
            row = f'\n    "{project}": {{"venv_path": "{venv_path}"'.encode()
            return stream.read() == END and _has_row(stream, row)
    except OSError:
        return False


def _has_row(stream: "FileIO", row: bytes) -> bool:
    # Each block begins with the end of the one before, so that what is searched for lies in one of them as a whole.
    overlap = max(map(len, (row, SECTION, SECTION_END)))
    place, is_inside = 0, False
    while True:
        stream.seek(place)
        block = stream.read(overlap + BLOCK)
        begin = 0 if is_inside else block.find(SECTION)
        if begin >= 0:
            is_inside = True
            # From the end: these search for what is rarely there, and `rfind` skips more of what is not.
            is_last = block.rfind(SECTION_END, begin) >= 0
            if block.rfind(row, begin, block.find(SECTION_END, begin) if is_last else len(block)) >= 0:
                return True
            if is_last:
                return False
        if len(block) <= overlap:
            return False
        place += len(block) - overlap


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text
