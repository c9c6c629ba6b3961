"""Whose environment is it, by what is installed in it? A guess, for an environment that nothing else speaks for.

uv installs the project itself as editable, and notes where it is: ``direct_url.json`` in its ``.dist-info`` (PEP 610).
"""

import os
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from urllib.parse import unquote, urlsplit

from prime_uve.core.paths import read_regular, upwards

RECORD = "direct_url.json"
RECORD_SIZE = 1 << 16  # bytes
LONGEST = 4096  # characters of a path
MOST_PYTHONS = 4
MOST_PACKAGES = 10_000  # of each
MOST_PROJECTS = 20


def probable_owner(environment: str) -> str | None:
    """Return the project that `environment` was probably made for, an absolute path that need not be there.

    That is the editable project, or a folder above one (the root of a workspace), whose hash stands in the name of the
    environment; else the editable project that holds the others, or the first. ``None`` where nothing is editable.
    Reads what is in the environment alone, and of that only so much.
    """
    projects = sorted(editables(environment), key=lambda path: path.split(os.sep))
    digits = os.path.basename(os.path.normpath(environment)).rpartition("_")[2]
    for project in projects:
        for folder in upwards(project):
            if _hash(folder) == digits:
                return folder
    return projects[0] if projects else None


def editables(environment: str) -> list[str]:
    """Return the projects, absolute paths, that are installed in `environment` as editable. Raises nothing."""
    found: dict[str, None] = {}
    for project in map(_editable, _records(environment)):
        if project is not None:
            found[project] = None
        if len(found) == MOST_PROJECTS:
            break
    return list(found)


def _records(environment: str) -> Iterator[str]:
    """Yield where each package of `environment` would say where it comes from."""
    folder = os.path.join(environment, "lib")
    pythons = [os.path.join(folder, name) for name in _names(folder) if name.startswith("python")]
    for library in (os.path.join(environment, "Lib"), *pythons[:MOST_PYTHONS]):
        packages = os.path.join(library, "site-packages")
        for name in _names(packages):
            if name.endswith(".dist-info"):
                yield os.path.join(packages, name, RECORD)


def _names(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, MOST_PACKAGES):
                yield entry.name
    except (OSError, ValueError):
        return


def _editable(record: str) -> str | None:
    import json

    try:
        document = json.loads(read_regular(record, RECORD_SIZE))
        if document["dir_info"]["editable"] is not True:
            return None
        return _path(document["url"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _path(url: object) -> str | None:
    """Return the absolute path that a ``file:`` URL names.

    Raises:
        ValueError: it is no URL, or what it names is no path.
    """
    parts = urlsplit(url) if isinstance(url, str) and len(url) <= LONGEST else None
    if parts is None or parts.scheme != "file":
        return None
    path = unquote(parts.path, errors="surrogateescape")
    if os.name == "nt":  # file:///C:/project, file://server/share/project
        path = os.path.normpath(f"//{parts.netloc}{path}" if parts.netloc else path.lstrip("/"))
    elif parts.netloc not in ("", "localhost"):
        return None
    return os.path.normpath(path) if os.path.isabs(path) and b"\0" not in os.fsencode(path) else None


def _hash(project: str) -> str:
    """Return what `generate_hash` gives for a resolved path, without a look at the disk that it lies on."""
    return sha256(os.fsencode(project.replace(os.sep, "/"))).hexdigest()[:8]
