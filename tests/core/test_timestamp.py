"""Times as they are stored and shown."""

import re

import pytest

from prime_uve.core.timestamp import now, timestamp

TIMES = {
    "a second": (1e9, "2001-09-09T01:46:40Z"),
    "a part of a second": (1e9 + 0.9, "2001-09-09T01:46:40Z"),
    "before the epoch": (-1, "1969-12-31T23:59:59Z"),
    "the first of four digits": (-30_610_224_000, "1000-01-01T00:00:00Z"),
    "the last of four digits": (253_402_300_799, "9999-12-31T23:59:59Z"),
    "after that": (253_402_300_800, None),
    "before that": (-30_610_224_001, None),
    "infinite": (float("inf"), None),
    "no number": (float("nan"), None),
    "nothing": (None, None),
}


@pytest.mark.parametrize(("seconds", "shown"), TIMES.values(), ids=TIMES)
def test_a_time_is_shown_in_utc_if_a_calendar_has_it(seconds: float | None, shown: str | None) -> None:
    assert timestamp(seconds) == shown


def test_the_present_has_the_same_form() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now())
