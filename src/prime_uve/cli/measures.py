"""Durations and sizes, as a person writes and reads them."""

import re

import click

from prime_uve.core.timestamp import timestamp

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PREFIXES = "KMGT"
_DURATION = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(?:([KMGT])(i?B)?|B)?", re.ASCII | re.IGNORECASE)


def duration(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """Return seconds, from ``90d``; a callback.

    Raises:
        click.BadParameter: it is none.
    """
    if value is None:
        return None
    match = _DURATION.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no duration; write a number and s, m, h, d or w: 90d, 12h, 2w")
    return float(int(match[1]) * _SECONDS[match[2]])


def size(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Return bytes, from ``1G``; a callback. K, M, G and T are powers of 1024, with B or iB after them or not.

    Raises:
        click.BadParameter: it is none.
    """
    if value is None:
        return None
    match = _SIZE.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no size; write a number and K, M, G or T: 1G, 500M, 1GiB")
    power = _PREFIXES.index(match[2].upper()) + 1 if match[2] else 0
    return int(float(match[1]) * 1024**power)


def shown_size(count: int) -> str:
    """Return bytes in the unit that suits them: ``1.5 GiB``."""
    value, unit = float(count), "B"
    for prefix in _PREFIXES:
        if value < 1024:  # noqa: PLR2004  # what each unit has of the one below
            break
        value, unit = value / 1024, f"{prefix}iB"
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def shown_day(seconds: float | None) -> str:
    """Return the day of a POSIX time, in UTC, or ``?``."""
    return (timestamp(seconds) or "?").partition("T")[0]
