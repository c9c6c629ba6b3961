"""Times as they are stored and shown: ISO 8601, to the second, in UTC."""

from functools import cache
from time import gmtime, strftime, time

_DAY_SECONDS = 86_400
_DAYS = range(-354_285, 2_932_897)  # from 1970 on, those of years with four digits


def timestamp(seconds: float | None) -> str | None:
    """Return a POSIX time as ``2001-09-09T01:46:40Z``; ``None`` for nothing, and for what no calendar has."""
    if seconds is None:
        return None
    try:
        days, rest = divmod(int(seconds), _DAY_SECONDS)
    except (OverflowError, ValueError):  # infinite, or no number
        return None
    return f"{_day(days)}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z" if days in _DAYS else None


def now() -> str:
    """Return the present second."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(time()))


@cache
def _day(days: int) -> str:
    return strftime("%Y-%m-%d", gmtime(days * _DAY_SECONDS))
