"""The marker in an environment: it names the checkout that the environment belongs to; its mtime is the last use.

Hot: imports only what a bare interpreter has already loaded, unless a marker is written.
"""

import os

from prime_uve.core.paths import read_regular_and_time

NAME = ".prime-uve.json"
VERSION = "1.0"
ENVIRONMENT_SIGN = "pyvenv.cfg"
MAX_SIZE = 1 << 16  # bytes


def touch(environment: str) -> bool:
    """Note that `environment` is used now; return whether it has a marker. What fails is no failure."""
    try:
        os.utime(os.path.join(environment, NAME))
    except (OSError, ValueError):
        return False
    return True


def give(environment: str, project: str) -> None:
    """Mark `environment` with `project`, unless it has a marker, whomever that names. What fails is no failure."""
    if not os.path.lexists(os.path.join(environment, NAME)):
        mark(environment, project)


def mark(environment: str, project: str) -> bool:
    """Let the marker of `environment` name `project`; return whether it does now.

    Nothing is written into what is no environment, nor where the marker is right already. What fails is no failure:
    the registry stands without markers, they make it possible to build it anew.
    """
    if not is_environment(environment):
        return False
    if owner(environment) == project:
        return True
    import json

    from prime_uve.core.replacement import replace

    content = json.dumps({"version": VERSION, "project": project}) + "\n"
    try:
        replace(os.path.join(environment, NAME), content.encode("ascii"), mode=0o600)
    except OSError:
        return False
    return True


def owner(environment: str) -> str | None:
    """Return the checkout that the marker of `environment` names; ``None`` where there is no readable marker."""
    return read(environment)[0]


def read(environment: str) -> "tuple[str | None, float | None]":
    """Return the checkout that the marker of `environment` names, and when it was last used (POSIX seconds).

    Each is ``None`` where there is no readable marker; of a marker that names nobody there is a time.
    """
    import json

    try:
        content, last_used = read_regular_and_time(f"{environment}{os.sep}{NAME}", MAX_SIZE)
    except (OSError, ValueError):
        return None, None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None, last_used
    project = document.get("project") if isinstance(document, dict) else None
    return project if isinstance(project, str) and _is_path(project) else None, last_used


def _is_path(text: str) -> bool:
    try:
        return os.path.isabs(text) and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def is_environment(folder: str) -> bool:
    """Tell whether `folder` is an environment: it has a ``pyvenv.cfg``."""
    try:
        return os.path.isfile(os.path.join(folder, ENVIRONMENT_SIGN))
    except ValueError:
        return False
