"""The row of a checkout in the registry, which may hold anything: what it says, as far as that can be read."""

from collections.abc import Mapping


def text(row: Mapping[str, object], name: str) -> str | None:
    """Return the field `name` if it is text, else ``None``."""
    value = row.get(name)
    return value if isinstance(value, str) else None
