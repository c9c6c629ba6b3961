"""Does an env file name an environment that is right for everybody, on each machine?

Hot: imports only what a bare interpreter has already loaded, as long as the file is plain.
"""

import os

from prime_uve.core.env_file import KEY, Reading, named_environment
from prime_uve.core.env_syntax import is_plain, with_value
from prime_uve.core.paths import BASES_VARIABLE, DEFAULT_BASE, bases, expand, is_inside, portable, quoted
from prime_uve.errors import CacheError, EnvFileError, PrimeUveError

# What the two variables stand for when a file is judged for everybody: themselves, as the first part of a path; and
# what they stand for elsewhere, to tell them from the same letters in quotes.
ROOT = os.path.abspath(os.sep)
ANYWHERE = {name: f"{ROOT}${{{name}}}" for name in ("HOME", BASES_VARIABLE)}
ELSEWHERE = {name: f"{ROOT}{name}" for name in ANYWHERE}
EVERYBODYS_BASES = (DEFAULT_BASE, f"${{{BASES_VARIABLE}}}")
HOMES = ("home", "Users")
# What Windows takes for no part of a name, and for no name at all.
NOT_IN_NAMES = '<>:"|?*\\'
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{kind}{number}" for kind in ("COM", "LPT") for number in "123456789")}
LONGEST_NAME = 255  # bytes


def portability_fault(root: str, content: bytes) -> str:
    """Return what is wrong with the content of the env file of `root`, for everybody; empty if it is right.

    It parses, every reader takes the same environment from it, and that lies under ``${HOME}`` or
    ``${PRIME_UVE_VENVS}``, inside a base, and depends on no other variable.
    """
    other_variables: set[str] = set()
    try:
        reading = Reading(root, shared=content, local=None, environ=ANYWHERE)
        value = named_environment(reading)
        if not is_plain(content):
            from prime_uve.core.validation.second_reader import REFERENCE, refuse_ambiguity

            refuse_ambiguity(reading, ANYWHERE)
            other_variables.update(match[1] or match[2] for match in REFERENCE.finditer(content.decode()))
        elsewhere = Reading(root, shared=content, local=None, environ=dict.fromkeys(other_variables, "?") | ELSEWHERE)
    except EnvFileError as error:
        return str(error)
    anew = f"prime-uve init --force {quoted(root)}"
    if value is None:
        return f"{reading.source!r} does not set {KEY}; add it: prime-uve init {quoted(root)}"
    variable = next((name for name, place in ANYWHERE.items() if value.startswith(place + "/")), None)
    if variable is None:
        remedy = (
            f"write it with ${{HOME}}: prime-uve check --fix {quoted(root)}"
            if _mended(value)
            else f"write a good one: {anew}"
        )
        return f"{reading.source!r} is not portable: {value!r} is a path of one machine; {remedy}"
    if elsewhere.environment != value.replace(ANYWHERE[variable], ELSEWHERE[variable], 1):
        return (
            f"{reading.source!r} is not portable: {value.removeprefix(ROOT)!r} in it depends on something else than "
            f"{variable}; write one plain line: {anew}"
        )
    return _fault_of_place(reading.source, value.removeprefix(ROOT), anew)


def _fault_of_place(source: str, shared: str, anew: str) -> str:
    name = next((name for name in shared.split("/")[1:] if not _is_name_everywhere(name)), None)
    if name is not None:
        return f"{source!r} is not portable: not every system takes {name!r} for a name; write a good one: {anew}"
    if not _is_in_base(shared):
        return (
            f"{source!r} names {shared!r}, which is not inside {DEFAULT_BASE!r} or a folder of {BASES_VARIABLE}; "
            f"write a good one: {anew}"
        )
    return ""


def _is_name_everywhere(name: str) -> bool:
    """Tell whether a folder can have this name on Linux, macOS and Windows; ``.`` and ``..`` are not judged."""
    if name in (".", ".."):
        return True
    return not (
        any(character in NOT_IN_NAMES for character in name)
        or name.endswith((".", " "))
        or name.partition(".")[0].rstrip().upper() in DEVICES
        or len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME
    )


def _is_in_base(shared: str) -> bool:
    parts = [part for part in shared.split("/") if part not in ("", ".")]
    for base in EVERYBODYS_BASES:
        depth = base.count("/") + 1
        if parts[:depth] == base.split("/"):
            return len(parts) > depth
    try:
        return any(is_inside(expand(shared), base) for base in bases())
    except PrimeUveError:  # there is no home, or what says where the bases are is no use
        return False


def with_home(root: str, content: bytes) -> tuple[bytes, str] | None:
    """Return `content` with ``${HOME}`` for a home, and what it names then; ``None`` where that mends nothing."""
    try:
        shared = _mended(Reading(root, shared=content, local=None, environ=ANYWHERE).environment or "")
        fixed = with_value(content, KEY, shared) if shared else content
    except EnvFileError:
        return None
    return (fixed, shared) if shared and not portability_fault(root, fixed) else None


def _mended(value: str) -> str:
    """Return `value` with ``${HOME}`` for a home that it spells out; empty where that gives no place in a base."""
    shared = _home_replaced(value)
    return shared if shared != value and _is_in_base(shared) else ""


def _home_replaced(value: str) -> str:
    """Return `value` with ``${HOME}`` for this person's home, or for what looks like somebody's."""
    try:
        shared = portable(value)
    except CacheError:  # there is no home
        shared = value
    _, *folders = value.replace("\\", "/").split("/")
    if shared == value and folders[:1] and folders[0] in HOMES:
        return "/".join(["${HOME}", *folders[2:]])
    return shared
