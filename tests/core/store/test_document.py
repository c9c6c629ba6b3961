"""The text of a document: its layout, and what can be read out of text that is no longer whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prime_uve.core.store import document

SECTIONS = ["venvs"]
ROWS = {f"/p/{name}": {"venv_path": f"${{HOME}}/v/{name}", "deep": {"list": [1, {}]}} for name in "abcd"}
WHOLE = document.render({"version": "1.0", "venvs": ROWS, "other": {"x": {"y": 1}}, "number": 1.5})

# Paths that are not UTF-8 arrive with lone surrogates in this range.
texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]),
    )
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def test_a_document_is_laid_out_with_one_item_a_line() -> None:
    assert document.render({"version": "1.0", "venvs": {"/a": {"b": [1, 2], "c": "é"}, "/d": {}}, "empty": {}}) == (
        b"{\n"
        b'  "version": "1.0",\n'
        b'  "venvs": {\n'
        b'    "/a": {"b": [1, 2], "c": "\\u00e9"},\n'
        b'    "/d": {}\n'
        b"  },\n"
        b'  "empty": {}\n'
        b"}\n"
    )


@given(st.dictionaries(texts, st.dictionaries(texts, values, max_size=4), max_size=4), values)
def test_what_is_written_is_what_is_read(rows: dict[str, Any], extra: object) -> None:
    whole = {"version": "1.0", "venvs": rows, "extra": extra}
    raw = document.render(whole)
    assert raw.isascii()
    assert document.parse(raw, SECTIONS) == document.Parsed(whole)
    assert json.loads(raw) == whole


@pytest.mark.parametrize("name", [1, None, ("a",)])
def test_a_name_that_is_not_text_is_a_mistake_of_the_program(name: object) -> None:
    with pytest.raises(TypeError, match="must be text"):
        document.render({"venvs": {name: {}}})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_an_editor_may_have_changed_the_encoding(encoding: str) -> None:
    text = json.dumps({"version": "1.0", "venvs": {"/é": {}}}, ensure_ascii=False)
    assert document.parse(text.encode(encoding), SECTIONS) == document.Parsed(
        {"version": "1.0", "venvs": {"/é": {}}}, None
    )


def test_numbers_that_json_does_not_have_survive() -> None:
    raw = b'{"version": "1.0", "venvs": {}, "n": [NaN, Infinity, 1e999]}'
    assert b"[NaN, Infinity, Infinity]" in document.render(document.parse(raw, SECTIONS).values)


@pytest.mark.parametrize(
    ("raw", "damage", "rows"),
    [
        pytest.param(b"", "it is empty", {}, id="no bytes"),
        pytest.param(bytes(4096), "nothing but zero bytes", {}, id="zero bytes"),
        pytest.param(b"[]", "not a JSON object", None, id="a list"),
        pytest.param(b"null", "not a JSON object", None, id="null"),
        pytest.param(b"NaN", "not a JSON object", None, id="NaN"),
        pytest.param(b"\xff\xfe\xff", "not text", {}, id="half of UTF-16"),
        pytest.param(b'{"version": "1.0", "venvs": {"/\xff": {}}}', "not text", {}, id="a byte that is not UTF-8"),
        pytest.param(b"{}", 'no "venvs"', {}, id="no section"),
        pytest.param(b'{"venvs": []}', '"venvs" is not an object', None, id="section is a list"),
        pytest.param(b'{"venvs": {"/a": {}}, "version": null}', "no version", {"/a": {}}, id="version is null"),
        pytest.param(b'{"venvs": {"/a": {}}, "version": true}', "no version", {"/a": {}}, id="version is true"),
        pytest.param(b'{"venvs": {"/a": {}}, "version": {}}', "no version", {"/a": {}}, id="version is an object"),
        pytest.param(b"[" * 100_000, "nested too deeply", {}, id="deep list"),
        pytest.param(b'{"a":' * 100_000, "nested too deeply", {}, id="deep object"),
        pytest.param(b'{"venvs": {"/a": {}}, "n": ' + b"9" * 5000 + b"}", "too large", {"/a": {}}, id="huge number"),
        pytest.param(b'{"venvs": {"/a": {"x": 1}, "/b"', "line 1", {"/a": {"x": 1}}, id="one line, cut"),
        pytest.param(b'{"venvs": {"/a": {}, "/b": 1, 5: 6', "line 1", {"/a": {}}, id="no item, no name"),
        pytest.param(b'{"venvs": {"/a": {}}} {}', "line 1", {"/a": {}}, id="something after the end"),
        pytest.param(b'{"venvs": {"/a" {}', "line 1", {}, id="no colon"),
        pytest.param(b'{"venvs": {"/a": {}}, "venvs": {"/b": {}}}', "twice", {"/a": {}, "/b": {}}, id="two sections"),
        pytest.param(
            b'{"venvs": {"/a": {"x": 1}, "/a": {"y": 2}}}', "twice", {"/a": {"x": 1, "y": 2}}, id="item twice"
        ),
        pytest.param(b'{"venvs": {"/a": {}, "/a": 5}}', "twice", {"/a": 5}, id="item twice, of two types"),
        pytest.param(b'{"venvs": {"/a": {}} "venvs": {"/b": {}', "line 1", {"/a": {}, "/b": {}}, id="two heads, cut"),
    ],
)
def test_damage_is_named_and_the_rest_is_read(raw: bytes, damage: str, rows: dict[str, Any] | None) -> None:
    reading = document.parse(raw, SECTIONS)
    assert damage in str(reading.damage)
    assert reading.values.get("venvs") == rows


@pytest.mark.parametrize("indent", [None, 2], ids=["our layout", "indented by two"])
def test_items_before_a_cut_survive_it(indent: int | None) -> None:
    whole = {"version": "1.0", "venvs": ROWS, "other": {"x": {"y": 1}}}
    raw = document.render(whole) if indent is None else json.dumps(whole, indent=indent).encode()
    for cut in range(len(raw.rstrip())):
        reading = document.parse(raw[:cut], SECTIONS)
        ends = [raw.find(b'"/p/b"'), raw.find(b'"/p/c"'), raw.find(b'"/p/d"'), raw.find(b'"other"')]
        expected = dict(list(ROWS.items())[: sum(end <= cut for end in ends)])
        found = reading.values["venvs"]
        assert reading.damage
        assert expected.items() <= found.items() <= ROWS.items(), cut


@pytest.mark.parametrize(
    "junk", [b"\0", b"\xff", b'"', b"{", b"}", b"\n"], ids=["NUL", "no text", "quote", "brace", "end", "line end"]
)
def test_one_wrong_byte_costs_one_item_at_most(junk: bytes) -> None:
    for position in range(len(WHOLE)):
        reading = document.parse(WHOLE[:position] + junk + WHOLE[position + 1 :], SECTIONS)
        if reading.damage:
            found = reading.values["venvs"]
            assert sum(ROWS[name] == found.get(name) for name in ROWS) >= 3, position


def test_a_first_block_of_zero_bytes_costs_what_was_in_it() -> None:
    start = WHOLE.index(b'    "/p/b"')
    reading = document.parse(bytes(start - 1) + WHOLE[start - 1 :], SECTIONS)
    assert reading.values["venvs"].keys() >= {"/p/b", "/p/c", "/p/d"}


def test_a_salvage_gives_up_in_time() -> None:
    reading = document.parse(b'{\n  "venvs": {\n' + b'    "/x": {]},\n' * 2000 + b'    "/late": {}\n', SECTIONS)
    assert reading.values["venvs"] == {}


@pytest.mark.parametrize(
    ("head", "version"),
    [
        (b'{"version": "2.0", ', "2.0"),
        (b'{\n  "a": 1,\n  "version": "2.0",\n', "2.0"),
        (b'{"version": 2, ', "2"),
        (b'{"a": {"version": "2.0"}, ', None),
    ],
)
def test_the_version_of_a_damaged_document_is_read(head: bytes, version: str | None) -> None:
    assert document.parse(head + b'"venvs": {', SECTIONS).values.get("version") == version


@pytest.mark.parametrize(
    ("version", "key"),
    [
        ("1.0", (1,)),
        ("1", (1,)),
        (1.0, (1,)),
        ("0", (0,)),
        ("1.10", (1, 10)),
        ("1.0.1", (1, 0, 1)),
        ("", None),
        ("1.x", None),
        ("²", None),
        ("-1", None),
        ("1..2", None),
        ("9" * 5000, None),
        (float("nan"), None),
    ],
)
def test_versions_are_numbers(version: object, key: tuple[int, ...] | None) -> None:
    assert document.version_key(version) == key


def test_an_item_that_holds_what_stands_between_items_is_laid_out_all_the_same() -> None:
    values = {"version": "1.0", "venvs": {"a": {"x": [{}, "\0", {}]}, "b": {"y": 1}}}
    raw = document.render(values)
    assert document.parse(raw, ["venvs"]).values == values
    assert raw.count(b"\n    ") == 2
