"""The registry has one environment for a checkout, and its env files name another: which file, and what mends it."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from prime_uve.core import git
from prime_uve.core.env_file import LOCAL_NAME, NAME, Reading, load
from prime_uve.core.paths import quoted
from prime_uve.core.validation.presence import same_place
from prime_uve.errors import EnvFileError, ProjectError


class Naming(NamedTuple):
    """How a checkout came to name another environment than the registry has.

    `file` is the name of the env file that names it; `is_restorable`: the committed one named the registered
    environment, and Git still has that.
    """

    file: str = NAME
    is_restorable: bool = False


NEITHER = Naming()  # the file does not name another one, or nothing else is known


def naming_of(project: str, registered: str, environ: Mapping[str, str]) -> Naming:
    """Find out how `project` came to name another environment than `registered`.

    Args:
        project: resolved path of the checkout.
        registered: the environment that the registry has, absolute.
        environ: the variables that env files are read under.
    """
    try:
        reading = load(project, environ)
    except EnvFileError:
        reading = None
    if reading is not None and reading.is_local:
        return Naming(LOCAL_NAME)
    return Naming(NAME, is_restorable=_was_committed(project, registered, environ))


def _was_committed(project: str, registered: str, environ: Mapping[str, str]) -> bool:
    checkout = git.find_checkout(project)
    if checkout is None:
        return False
    try:
        content = git.committed_blob(checkout, os.path.relpath(os.path.join(project, NAME), checkout))
        named = Reading(project, shared=content or b"", local=None, environ=environ).environment
    except (EnvFileError, ProjectError):
        return False
    return named is not None and same_place(named, registered)


def mismatch_sentence(project: str, naming: Naming, *, registered: str, named: str) -> str:
    """Say that registry and env file disagree, and what mends it."""
    remedy = f"or have it name that again: prime-uve init --force --venv-dir {quoted(registered)} {quoted(project)}"
    if naming.file == LOCAL_NAME:
        remedy = f"or correct it: {quoted(os.path.join(project, LOCAL_NAME))}"
    elif naming.is_restorable:
        remedy = f"or restore it: git -C {quoted(project)} checkout HEAD -- {NAME}"
    return (
        f"the registry has {registered!r} for {project!r}, but its {naming.file} names {named!r}; "
        f"accept the file: prime-uve register --accept {quoted(project)}, {remedy}"
    )
