"""The library below the commands: the registry, the paths, and what is checked.

The names are loaded when they are first used (PEP 562), so that a program that wants one of them, above all ``uve``,
does not pay for the others.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from prime_uve.core.cache import Cache
    from prime_uve.core.paths import expand_path_variables, generate_hash, generate_venv_path, get_project_name
    from prime_uve.core.validation import ValidationResult
    from prime_uve.errors import CacheError

__all__ = [
    "Cache",
    "CacheError",
    "ValidationResult",
    "expand_path_variables",
    "generate_hash",
    "generate_venv_path",
    "get_project_name",
]

_HOMES = {
    "Cache": "prime_uve.core.cache",
    "CacheError": "prime_uve.errors",
    "ValidationResult": "prime_uve.core.validation",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "prime_uve.core.paths")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
