"""The field of a mapping that says that a person wants its environment kept, whatever becomes of the project.

``kept: {"reason": str, "since": ISO 8601 in UTC}``. It is about the environment: a mapping that gets another one loses
it, and one that moves with its project has it still.
"""

from collections.abc import Mapping
from typing import NamedTuple

FIELD = "kept"


class Kept(NamedTuple):
    """Why an environment is kept, which can be empty, and since when (ISO 8601 in UTC)."""

    reason: str
    since: str | None


def kept(mapping: Mapping[str, object]) -> Kept | None:
    """Return why and since when the environment of a mapping is kept; ``None`` where it is not.

    Whatever stands in the field but ``null`` and ``false`` keeps, understood or not.
    """
    value = mapping.get(FIELD)
    if value is None or value is False:
        return None
    texts = [value.get(name) if isinstance(value, dict) else None for name in ("reason", "since")]
    reason, since = (text if isinstance(text, str) else None for text in texts)
    return Kept(reason or "", since)
