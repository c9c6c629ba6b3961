"""Is a mapping true? `observe` looks at the machine, `judge` decides and is pure."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Literal, NamedTuple

from prime_uve.core import env_file, marker, mounts
from prime_uve.core.deadline import LOOK_SECONDS, Look, answers
from prime_uve.core.env_syntax import is_plain
from prime_uve.core.paths import expand, quoted
from prime_uve.core.row import text
from prime_uve.core.validation.discrepancy import NEITHER, Naming, mismatch_sentence, naming_of
from prime_uve.core.validation.presence import (
    HERE,
    Presence,
    Sight,
    look,
    look_at_project,
    out_of_reach,
    same_place,
    witnessed,
)
from prime_uve.errors import EnvFileError

Status = Literal["valid", "orphaned", "mismatch", "error"]


@dataclass
class ValidationResult:
    """What validating a mapping came to: its `status`, and every issue as a sentence that names path and remedy."""

    status: Status
    issues: list[str] = field(default_factory=list)

    @property
    def is_valid(self) -> bool:
        """True if the status is ``valid``."""
        return self.status == "valid"

    @property
    def is_orphaned(self) -> bool:
        """True if the status is ``orphaned``: project, env file or environment are not there, and that is certain."""
        return self.status == "orphaned"

    @property
    def has_mismatch(self) -> bool:
        """True if the status is ``mismatch``: the env file names another environment than the registry."""
        return self.status == "mismatch"


@dataclass(frozen=True, slots=True)
class Observation:
    """What there is to see of a mapping.

    `registered` and `named` are the environments, absolute, that the registry and the env files name; `registered` is
    empty, and `named` is ``None``, where there is nothing readable that names one. Where both mean one place by way of
    links, `named` is `registered`. `lacks_marker`: the environment is one, and has no marker.
    `naming` is how it came that `named` and `registered` differ, where they do.
    """

    project: str
    registered: str
    named: str | None
    folder: Sight
    env_file: Sight
    environment: Sight
    lacks_marker: bool = False
    naming: Naming = NEITHER


class _Checkout(NamedTuple):
    """What there is to see of a mapping at its project; see `Observation`."""

    folder: Sight
    env_file: Sight
    named: str | None
    naming: Naming = NEITHER


class _Place(NamedTuple):
    """What there is to see of an environment; see `Observation`."""

    environment: Sight
    lacks_marker: bool


class Machine:
    """What does not change from mapping to mapping, looked up once: what is mounted, and the variables."""

    @cached_property
    def mounts(self) -> mounts.MountTable:
        """The table of mounts."""
        return mounts.read_table()

    @cached_property
    def environ(self) -> dict[str, str]:
        """The variables that env files are read under."""
        return env_file.reading_environ()


def observe(project: str, mapping: Mapping[str, object]) -> Observation:
    """Look at the project, its env files and the environment of a mapping. Writes nothing, raises no `OSError`.

    Args:
        project: resolved path of the project, the key of the mapping.
        mapping: the row of the registry; fields that are missing or of a wrong type count as unknown.
    """
    machine, registered = Machine(), _registered(mapping)
    checkout = _look_at_checkout(project, mapping, registered, machine)
    return _observation(project, registered, checkout, _look_at_place(registered) if registered else None)


def observe_all(rows: Mapping[str, Mapping[str, object]], *, timeout: float = LOOK_SECONDS) -> dict[str, Observation]:
    """Look at all mappings as `observe` does, side by side, and leave behind what does not answer: that is unknown.

    Args:
        rows: the mappings by project.
        timeout: seconds for which a mount may say nothing before it is given up.
    """
    machine = Machine()
    point_of = machine.mounts.point_of
    registered = {project: _registered(row) for project, row in rows.items()}
    looks: list[Look[tuple[str, str], _Checkout | _Place]] = [
        Look((project, ""), point_of(project), partial(_look_at_checkout, project, row, registered[project], machine))
        for project, row in rows.items()
    ]
    places = dict.fromkeys(registered.values())
    looks += [Look(("", place), point_of(place), partial(_look_at_place, place)) for place in places if place]
    seen = answers(looks, timeout)
    observations = {}
    for project, path in registered.items():
        checkout, place = seen.get((project, "")), seen.get(("", path))
        if not isinstance(checkout, _Checkout):
            silent = _silence(project, project, machine.mounts, timeout)
            checkout = _Checkout(silent, silent, None)
        if path and not isinstance(place, _Place):
            place = _Place(_silence(path, project, machine.mounts, timeout), lacks_marker=False)
        observations[project] = _observation(project, path, checkout, place if isinstance(place, _Place) else None)
    return observations


def _registered(mapping: Mapping[str, object]) -> str:
    """Return the environment that a mapping names, absolute; empty if it names none."""
    registered = expand(text(mapping, "venv_path") or "")
    return registered if os.path.isabs(registered) else ""


def _look_at_checkout(project: str, mapping: Mapping[str, object], registered: str, machine: Machine) -> _Checkout:
    named = _named_plainly(project, machine)
    folder = env_sight = HERE
    if named is None:
        folder = look_at_project(project, mapping, machine.mounts)
        if folder.presence is not Presence.HERE:
            return _Checkout(folder, folder, None)
        named, env_sight = _look_at_env_file(project, mapping, machine)
    if not named or not registered:
        return _Checkout(folder, env_sight, named)
    if same_place(named, registered):
        return _Checkout(folder, env_sight, registered)
    return _Checkout(folder, env_sight, named, naming_of(project, registered, machine.environ))


def _named_plainly(project: str, machine: Machine) -> str | None:
    """Return the environment that a checkout names, if that takes one look: else ``None``, whatever is the matter."""
    try:
        content = env_file.read(f"{project}{os.sep}{env_file.NAME}")
    except (EnvFileError, ValueError):
        return None
    if content is None or not env_file.is_absent(f"{project}{os.sep}{env_file.LOCAL_NAME}"):
        return None
    return env_file.plain_environment(content, machine.environ)


def _look_at_place(environment: str) -> _Place:
    try:
        os.lstat(f"{environment}{os.sep}{marker.NAME}")
    except (OSError, ValueError):
        sight = look(environment)
        return _Place(sight, lacks_marker=sight is HERE and marker.is_environment(environment))
    return _Place(HERE, lacks_marker=False)


def _look_at_env_file(project: str, mapping: Mapping[str, object], machine: Machine) -> tuple[str | None, Sight]:
    environ = machine.environ
    try:
        reading = env_file.load(project, environ)
        if reading is None:
            # An empty mount point looks like a project without an env file.
            return None, witnessed(project, mapping, machine.mounts)
        named = env_file.named_environment(reading)  # it refuses what is not to be shown
        if not is_plain(reading.content):
            from prime_uve.core.validation.second_reader import refuse_ambiguity

            refuse_ambiguity(reading, environ)
    except EnvFileError as error:
        return None, Sight(Presence.UNKNOWN, str(error))
    else:
        return named, HERE


def _observation(project: str, registered: str, checkout: _Checkout, place: _Place | None) -> Observation:
    if place is None:
        lost = f"the registry names no environment for {project!r}; register one: prime-uve init {quoted(project)}"
        place = _Place(Sight(Presence.UNKNOWN, lost), lacks_marker=False)
    folder, env_sight, named, naming = checkout
    return Observation(project, registered, named, folder, env_sight, *place, naming)


def _silence(path: str, project: str, table: mounts.MountTable, timeout: float) -> Sight:
    why = f"{table.point_of(path)!r} has not answered for {timeout:g} s"
    return out_of_reach(path, project, why, "connect it again")


def judge(seen: Observation) -> ValidationResult:
    """Decide what an observation means: the first fact gives the status, each adds its sentence."""
    if seen.folder is seen.env_file is seen.environment is HERE and seen.named == seen.registered:
        return ValidationResult("valid")
    facts = _facts(seen)
    return ValidationResult(facts[0][0] if facts else "valid", [sentence for _, sentence in facts])


def _facts(seen: Observation) -> list[tuple[Status, str]]:
    """Return what is not as it should be, what weighs most first."""
    project = seen.project
    # The same trouble can hide several things; it is told once.
    troubles = dict.fromkeys(sight.trouble for sight in (seen.folder, seen.env_file, seen.environment))
    facts: list[tuple[Status, str]] = [("error", trouble) for trouble in troubles if trouble]
    if seen.folder.presence is Presence.GONE:
        facts.append(
            ("orphaned", f"the project {project!r} is gone; forget it: prime-uve unregister {quoted(project)}")
        )
    elif seen.env_file.presence is Presence.GONE:
        facts.append(("orphaned", f"{project!r} has no {env_file.NAME}; write one: prime-uve init {quoted(project)}"))
    elif seen.env_file.presence is Presence.HERE and seen.registered:
        if seen.named is None:
            facts.append(("mismatch", _silence_sentence(project, seen.registered)))
        elif os.path.normpath(seen.named) != os.path.normpath(seen.registered):
            facts.append(
                ("mismatch", mismatch_sentence(project, seen.naming, registered=seen.registered, named=seen.named))
            )
    if seen.environment.presence is Presence.GONE:
        remedy = f"make it: uve sync --project {quoted(project)}"
        if seen.folder.presence is Presence.GONE:
            remedy = f"nothing but the mapping is left: prime-uve unregister {quoted(project)}"
        elif seen.named is not None and any(status == "mismatch" for status, _ in facts):  # uv makes the other one
            remedy = f"nothing is lost by accepting the file: prime-uve register --accept {quoted(project)}"
        facts.append(("orphaned", f"the environment {seen.registered!r} does not exist; {remedy}"))
    return facts


def _silence_sentence(project: str, registered: str) -> str:
    return (
        f"the registry has {registered!r} for {project!r}, but its {env_file.NAME} names no environment; "
        f"write one: prime-uve init {quoted(project)}"
    )
