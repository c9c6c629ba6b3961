"""Giving a checkout its environment: `plan` says which files are to be written, `carry_out` writes and registers."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from prime_uve.core import git, marker
from prime_uve.core.cache import Cache
from prime_uve.core.env_file import KEY, LOCAL_NAME, NAME, Reading, read, reading_environ, trusted_environment, write
from prime_uve.core.env_syntax import with_value
from prime_uve.core.paths import (
    DEFAULT_BASE,
    bases,
    expand,
    generate_venv_path,
    is_inside,
    portable,
    quoted,
    shared_form,
)
from prime_uve.core.portability import portability_fault
from prime_uve.core.registration import Outcome, Registration, preview, register
from prime_uve.errors import EnvFileError, MismatchError, RefusalError, UntrustedPathError

REJECTED = ".rejected"
ATTEMPTS = 3


@dataclass
class Plan:
    """What initialising the checkout at `root` comes to.

    `environment` is its environment, absolute. `writes` has the new content of env files by path, `found` what they
    hold now (``None``: nothing is there), `set_aside` where the unusable content of a file is kept, by its path;
    `replaced` are the environments that files name now and will not name any more. `notes` are sentences for a person.
    """

    root: str
    environment: str = ""
    writes: dict[str, bytes] = field(default_factory=dict)
    found: dict[str, bytes | None] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    registration: Registration | None = None

    def content(self, name: str) -> bytes | None:
        """Return what the env file `name` will hold, ``None`` if there will be none."""
        path = os.path.join(self.root, name)
        return self.writes[path] if path in self.writes else read(path)


def plan(cache: Cache, root: str, *, venv_dir: str | None = None, force: bool = False) -> Plan:
    """Find out what has to be written so that the checkout at `root` has an environment of its own. Writes nothing.

    A committed file that is right is kept, so that a clone takes its colleagues' path. Where another living checkout
    has that environment, or this person's bases do not hold it, the checkout gets its own in ``.env.uve.local``.

    Args:
        cache: the registry.
        root: the project, resolved.
        venv_dir: the wanted environment, absolute: inside a base for everybody, elsewhere for this machine alone.
        force: replace what the files name, even where they cannot be read.

    Raises:
        RefusalError: a file names another environment than `venv_dir`, and `force` is not given; or `venv_dir` holds
            something that is no environment.
        MismatchError: the registry has another environment, and `force` is not given.
        EnvFileError: a file is unusable, and `force` is not given; or `venv_dir` lies in or around the project.
        CacheError: the registry cannot be read.
    """
    made = Plan(root)
    _note_old_environment(made)
    own = generate_venv_path(Path(root)) if venv_dir is None else _form(venv_dir)
    is_shared = own.startswith("${") and any(is_inside(expand(own), base) for base in bases())
    is_shared = is_shared and not portability_fault(root, with_value(b"", KEY, own))
    default = f"{DEFAULT_BASE}/{os.path.basename(generate_venv_path(Path(root)))}"
    # What everybody reads stays as it is where this machine's own file says it, or is to say it.
    is_local = not is_shared or (venv_dir is not None and _has_own_line(made))
    keep = not force if venv_dir is None else is_local
    _plan_file(made, NAME, default if is_local else own, keep=keep, force=force)
    if is_local:
        whose = f"{own!r} is {'that' if is_shared else 'a place'} of this machine alone"
        made.notes.append(f"{whose}: it goes into {LOCAL_NAME}, which is not committed")
        _plan_file(made, LOCAL_NAME, own, keep=venv_dir is None and not force, force=force)
    try:
        _settle(made, cache, accept=force or bool(made.writes))
    except UntrustedPathError:
        # What the user's own file or words name is not put aside for another place without a word.
        is_local = _reading(made).is_local
        if venv_dir is not None or (is_local and not force):
            raise
        _plan_own(made, cache, f"this machine cannot use what {LOCAL_NAME if is_local else NAME} names")
    if made.registration is not None and made.registration.outcome is Outcome.SHARED:
        _plan_own(made, cache, f"{made.registration.venv_path!r} belongs to {made.registration.other!r}")
    if made.registration is not None and made.registration.outcome in (Outcome.SHARED, Outcome.MISMATCH):
        raise MismatchError(made.registration.message)
    _refuse_full_folder(venv_dir)
    return made


def _has_own_line(made: Plan) -> bool:
    try:
        return _reading(made).is_local
    except EnvFileError:
        return False


def _note_old_environment(made: Plan) -> None:
    old = os.path.join(made.root, ".venv")
    if os.path.lexists(old):
        kind = "the environment that uv made in the project" if marker.is_environment(old) else "not an environment"
        made.notes.append(f"{old!r} is {kind}; it is no longer used and stays until you delete it")


def _refuse_full_folder(venv_dir: str | None) -> None:
    try:
        is_full = venv_dir is not None and not marker.is_environment(venv_dir) and bool(os.listdir(venv_dir))
    except OSError:
        return
    if is_full:
        raise RefusalError(f"{venv_dir!r} holds other things and is no environment; name a new folder: --venv-dir DIR")


def _form(venv_dir: str) -> str:
    return shared_form(venv_dir) if any(is_inside(venv_dir, base) for base in bases()) else portable(venv_dir)


def _plan_own(made: Plan, cache: Cache, why: str) -> None:
    """Give the checkout an environment of its own beside the committed file."""
    made.notes.append(f"{why}: this checkout gets its own environment, in {LOCAL_NAME}, which is not committed")
    own = shared_form(expand(generate_venv_path(Path(made.root))))
    # Somebody who has moved away may have taken the place along that this path gives.
    for name in (own, *(f"{own}-{number}" for number in range(2, 10))):
        made.writes.pop(os.path.join(made.root, LOCAL_NAME), None)
        _plan_file(made, LOCAL_NAME, name, keep=False, force=True)
        _settle(made, cache, accept=True)
        if made.registration is not None and made.registration.outcome is not Outcome.SHARED:
            return


def _settle(made: Plan, cache: Cache, *, accept: bool) -> None:
    """Read what the files will say, and what registering that will come to."""
    made.environment = trusted_environment(_reading(made)) or ""
    made.registration = preview(cache, Path(made.root), made.environment, accept=accept)


def _reading(made: Plan) -> Reading:
    shared, local = made.content(NAME) or b"", made.content(LOCAL_NAME)
    return Reading(made.root, shared=shared, local=local, environ=reading_environ())


def _plan_file(made: Plan, name: str, value: str, *, keep: bool, force: bool) -> None:
    """Plan that the env file `name` names `value`; what it names now stays where `keep` says so."""
    path = os.path.join(made.root, name)
    content = made.found[path] = read(path)
    try:
        named = _named(made.root, name, content) if content is not None else None
    except EnvFileError:
        if not force:
            raise
    else:
        if named == expand(value) or (named is not None and keep):
            return
        if named is not None and not force:
            raise RefusalError(
                f"{path!r} names {named!r}; replace it: "
                f"prime-uve init --force --venv-dir {quoted(expand(value))} {quoted(made.root)}"
            )
        made.replaced += [named] if named is not None else []
    try:
        made.writes[path] = with_value(content or b"", KEY, value)
    except EnvFileError:
        made.set_aside[path] = _free_name(path + REJECTED)
        made.writes[path] = with_value(b"", KEY, value)


def _named(root: str, name: str, content: bytes) -> str | None:
    """Return the environment that one file names for everybody who may read it; ``None`` if it names none."""
    if name == LOCAL_NAME:
        return trusted_environment(Reading(root, shared=b"", local=content, environ=reading_environ()))
    reading = Reading(root, shared=content, local=None, environ=reading_environ())
    if reading.environment is None:
        return None
    fault = portability_fault(root, content)
    if fault:
        raise EnvFileError(fault, key=KEY)
    return reading.environment


def _free_name(path: str) -> str:
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = f"{path}-{number}"
    return free


def carry_out(cache: Cache, made: Plan) -> Registration:
    """Write the files of a plan, keep ``.env.uve.local`` out of Git, and register the checkout.

    Raises:
        EnvFileError: a file cannot be written, or is no longer what it was when this was planned.
        CacheError: the registry cannot be written; the files are.
        MismatchError: others take each environment that is planned.
    """
    _insist_on_what_was_found(made)
    checkout = git.find_checkout(made.root)
    if checkout is not None:
        git.exclude(checkout, LOCAL_NAME)
        if made.set_aside:
            git.exclude(checkout, f"{NAME}*{REJECTED}*")
    for path, aside in made.set_aside.items():
        try:
            os.rename(path, aside)
        except OSError as error:
            raise EnvFileError(f"cannot rename {path!r}: {error.strerror}; move it away yourself") from error
    for _ in range(ATTEMPTS):
        _write(made)
        registration = register(cache, Path(made.root), made.environment, accept=True)
        if registration.outcome is not Outcome.SHARED:
            return registration
        # Another checkout was registered with the environment since the plan was made.
        _plan_own(made, cache, f"{registration.venv_path!r} belongs to {registration.other!r}")
    raise MismatchError(registration.message)


def _insist_on_what_was_found(made: Plan) -> None:
    """Refuse to replace what somebody has written since: a person may have been asked in between."""
    for path in made.writes:
        if read(path) != made.found[path]:
            raise EnvFileError(
                f"{path!r} was changed in the meantime, and is left as it is; try again: prime-uve init "
                f"{quoted(made.root)}"
            )


def _write(made: Plan) -> None:
    for path, content in made.writes.items():
        try:
            write(path, content)
        except EnvFileError:
            if path in made.set_aside:
                os.rename(made.set_aside[path], path)
            raise
