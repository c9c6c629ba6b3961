"""What a look at this machine came to."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters: ``problem`` needs a person, ``note`` is worth knowing."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its `subject`, what was found, and what mends it (empty where there is nothing to mend)."""

    level: Level
    subject: str
    message: str
    remedy: str = ""
