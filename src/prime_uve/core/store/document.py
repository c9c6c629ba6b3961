"""The text of a stored document: bytes to values and back. It touches no file.

A document is one JSON object. Its *sections* are the members that have to be objects themselves; the members of a
section are its *items*. The layout is fixed, so that a program can look an item up without a JSON parser, and so
that items can be read out of a file that is no longer whole::

    {
      "version": "1.0",
      "venvs": {
        "/abs/project": {"venv_path": "${HOME}/venvs/x_1", "project_name": "x"},
        "/abs/other": {"venv_path": "${HOME}/venvs/y_2", "project_name": "y"}
      }
    }

Everything is ASCII: text that is not valid Unicode (a path that is not UTF-8) is escaped and survives the round trip.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

# What cannot be decoded ends one attempt of the salvage; the bound keeps a hostile or huge file from taking minutes.
_SALVAGE_FAILURES = 1000
_VERSION_DIGITS = 9

_VERSION = re.compile(r'(?:\A\s*\{\s*|^[ \t]{0,4})"version"\s*:\s*(?:"([^"\\\n]*)"|(-?[0-9.]+))', re.MULTILINE)
_BETWEEN_ITEMS = re.compile(r"[\s,]*")
_COLON = re.compile(r"\s*:\s*")
# Items of the layout above; a document that was written with an indentation of two has them in the same column.
_ITEM_LINE = re.compile(r'^ {4}(?=")', re.MULTILINE)
_MEMBER_OR_ITEM_LINE = re.compile(r'^ {2}(?: {2})?(?=")', re.MULTILINE)

_encode = json.JSONEncoder().encode
_BETWEEN = "\0"
_SEPARATOR = f"}}, {_encode(_BETWEEN)}, {{"
_decode = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class Parsed:
    """What bytes say. ``damage`` is ``None``, or why they are not a whole document; ``values`` is then the rest."""

    values: dict[str, Any]
    damage: str | None = None

    def count(self, sections: Collection[str]) -> int:
        """Count the items of all ``sections``."""
        return sum(len(self.values.get(section, ())) for section in sections)


def render(values: Mapping[str, Any]) -> bytes:
    """Lay a document out. ``TypeError`` and ``ValueError`` mean that it holds what JSON cannot express."""
    members = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            members.append(f"{_member_name(key)}: {{\n    {_items(value)}\n  }}")
        else:
            members.append(_member(key, value))
    return ("{\n  " + ",\n  ".join(members) + "\n}\n").encode("ascii")


def _items(section: dict[object, object]) -> str:
    """Lay the items of a section out, a line each, by one call of the encoder: one for each takes longer."""
    for name in section:
        if not isinstance(name, str):
            raise _no_name(name)
    parts = [part for name, item in section.items() for part in ({name: item}, _BETWEEN)]
    laid_out = _encode(parts[:-1])[2:-2]
    if laid_out.count(_SEPARATOR) == len(section) - 1:
        return laid_out.replace(_SEPARATOR, ",\n    ")
    return ",\n    ".join(_member(name, item) for name, item in section.items())  # an item holds the same


def _member(key: object, value: object) -> str:
    return f"{_member_name(key)}: {_encode(value)}"


def _member_name(key: object) -> str:
    if not isinstance(key, str):
        raise _no_name(key)
    return _encode(key)


def _no_name(key: object) -> TypeError:
    return TypeError(f"the name of a member must be text, not {type(key).__name__}")


def parse(raw: bytes, sections: Collection[str]) -> Parsed:
    """Read a document: UTF-8, with or without a BOM, UTF-16 or UTF-32. It never raises.

    A name that occurs twice in one object is damage, because a reader that keeps one of the two loses the other: the
    values are merged, and where they cannot be, the later one stands.
    """
    damage: list[str] = []

    def merge(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        merged = dict(pairs)
        if len(merged) < len(pairs):
            damage.append("a name occurs twice")
            merged = {}
            for key, value in pairs:
                _merge_into(merged, key, value)
        return merged

    try:
        values = json.loads(raw.decode(json.detect_encoding(raw), "surrogatepass"), object_pairs_hook=merge)
    except (ValueError, RecursionError, MemoryError) as error:
        return Parsed(_salvage(raw, sections), _reason(raw, error))
    if not isinstance(values, dict):
        return Parsed({}, "it is not a JSON object")
    if sections and not any(section in values for section in sections):
        damage.append(f'it has no "{next(iter(sections))}"')
        values = _salvage(raw, sections) | values
    return _checked(values, sections, damage)


def _checked(values: dict[str, Any], sections: Collection[str], damage: list[str]) -> Parsed:
    """Drop the members that have a type of which nothing can be made."""
    for section in sections:
        if not isinstance(values.get(section, {}), dict):
            damage.append(f'"{section}" is not an object')
            del values[section]
    version = values.get("version", "")
    if isinstance(version, bool) or not isinstance(version, str | int | float):
        damage.append('"version" is no version')
        del values["version"]
    return Parsed(values, ", ".join(dict.fromkeys(damage)) or None)


def _merge_into(target: dict[str, Any], key: str, value: object) -> None:
    known = target.get(key)
    if isinstance(known, dict) and isinstance(value, dict):
        for name, item in value.items():
            _merge_into(known, name, item)
    else:
        target[key] = value


def _reason(raw: bytes, error: Exception) -> str:
    """Say what is wrong with the bytes, and never quote them."""
    if not raw.strip(b"\0"):
        return "it holds nothing but zero bytes" if raw else "it is empty"
    match error:
        case json.JSONDecodeError():
            return f"it is not valid JSON in line {error.lineno}"
        case UnicodeDecodeError():
            return f"it is not text at byte {error.start}"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return "it holds a value that is too large"


def version_key(version: object) -> tuple[int, ...] | None:
    """Give what versions are compared by ("1.0" is 1); ``None`` where it is not numbers with dots between."""
    parts = str(version).split(".")
    if not all(part.isascii() and part.isdigit() and len(part) <= _VERSION_DIGITS for part in parts):
        return None
    numbers = [int(part) for part in parts]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _salvage(raw: bytes, sections: Collection[str]) -> dict[str, Any]:
    """Read what can still be read: the version, and the items that are whole."""
    found: dict[str, Any] = {section: {} for section in sections}
    # Zero bytes at the beginning of a UTF-8 file look like UTF-16 or UTF-32.
    for encoding in dict.fromkeys([json.detect_encoding(raw), "utf-8"]):
        text = raw.decode(encoding, "replace").removeprefix("\ufeff")
        if "version" not in found and (version := _VERSION.search(text)):
            found["version"] = version[1] if version[2] is None else version[2]
        for section in sections:
            _salvage_section(text, section, found[section], alone=len(sections) == 1)
    return found


def _salvage_section(text: str, section: str, items: dict[str, Any], *, alone: bool) -> None:
    """Read the items after each head of the section. Where it is lost, all items are of a section that is alone."""
    head = re.compile(rf'"{re.escape(section)}"\s*:\s*\{{')
    position, failures = 0, _SALVAGE_FAILURES
    if alone and not head.search(text) and (line := _ITEM_LINE.search(text)):
        _salvage_items(text, line.end(), items, failures)
    while failures and (match := head.search(text, position)):
        position, failures = _salvage_items(text, match.end(), items, failures)


def _salvage_items(text: str, position: int, items: dict[str, Any], failures: int) -> tuple[int, int]:
    """Read items up to the end of the section. Returns where that is, and how many more failures are allowed."""
    while failures:
        position = _skip(text, position)
        if text.startswith("}", position):
            line = _MEMBER_OR_ITEM_LINE.search(text, position)
            if line is None or not _ITEM_LINE.match(text, line.start()):
                break
            position = line.end()  # the brace is a stray one
            continue
        try:
            key, item, end = _item(text, position)
        except (ValueError, RecursionError, MemoryError):
            failures -= 1
            line = _ITEM_LINE.search(text, position + 1)
            if line is None:
                return len(text), failures
            position = line.end()
            continue
        # U+FFFD stands for bytes that are not text; what is no object is a line within an item.
        if isinstance(item, dict) and "\ufffd" not in text[position:end]:
            items[key] = item
        position = end
    return position, failures


def _skip(text: str, position: int) -> int:
    match = _BETWEEN_ITEMS.match(text, position)
    return match.end() if match else position


def _item(text: str, position: int) -> tuple[str, object, int]:
    key, end = _decode(text, position)
    colon = _COLON.match(text, end)
    if colon is None or not isinstance(key, str):
        raise ValueError("not a member of an object")
    item, end = _decode(text, colon.end())
    if _ITEM_LINE.search(text, position, end):
        raise ValueError("it has lost its end, and has taken in the items that follow")
    return key, item, end
