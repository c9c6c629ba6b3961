"""What the field ``kept`` of a mapping says."""

import pytest

from prime_uve.core.kept import kept

SINCE = "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("mapping", "meaning"),
    [
        pytest.param({}, None, id="no field"),
        pytest.param({"kept": None}, None, id="null"),
        pytest.param({"kept": False}, None, id="false"),
        pytest.param({"kept": {"reason": "thesis", "since": SINCE}}, ("thesis", SINCE), id="reason and since"),
        pytest.param({"kept": {"reason": ""}}, ("", None), id="no reason"),
        pytest.param({"kept": {"reason": 1, "since": []}}, ("", None), id="wrong types"),
        pytest.param({"kept": {}}, ("", None), id="empty"),
        pytest.param({"kept": True}, ("", None), id="true"),
        pytest.param({"kept": "because"}, ("", None), id="text"),
        pytest.param({"kept": 0}, ("", None), id="a number"),
    ],
)
def test_whatever_is_there_keeps(mapping: dict[str, object], meaning: tuple[str, str | None] | None) -> None:
    assert kept(mapping) == meaning
