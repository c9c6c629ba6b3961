"""Is this mapping in the registry, byte for byte? A look without json and without a lock.

Hot: imports only what a bare interpreter has already loaded.
"""

from prime_uve.core.paths import read_regular, registry_path

LARGEST = 128 << 20  # bytes, as in `prime_uve.core.whole_file`


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
    document = _read(registry_path())
    begin = document.find(b'\n  "venvs": {\n')
    end = document.find(b"\n  }", begin)
    row = f'\n    "{project}": {{"venv_path": "{venv_path}"'.encode()
    return 0 <= begin < end and document.find(row, begin, end) >= 0


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


def _read(path: str) -> bytes:
    try:
        return read_regular(path, LARGEST)
    except OSError:
        return b""
