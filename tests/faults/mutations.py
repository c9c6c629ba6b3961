"""Registries that are no longer what was written: damaged by machines, edited by people, made by other programs."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from prime_uve.core.store import document
from tests.faults import budget

ROWS = {
    f"/p/{name}": {
        "venv_path": f"${{HOME}}/prime-uve/venvs/{name}_01234567",
        "venv_path_expanded": f"/home/me/prime-uve/venvs/{name}_01234567",
        "project_name": name,
        "path_hash": "01234567",
        "created_at": "2001-01-01T00:00:00Z",
        "last_validated": "2001-01-01T00:00:00Z",
        "mount": "/mnt",
        "parent_inode": 7,
        "later": {"x": [1, None]},
    }
    for name in ("one", "two", "three", "four")
}
WHOLE = document.render({"version": "1.0", "venvs": ROWS, "later": {"y": 1}})

_DEEP = 100_000
# Raw JSON in the place of a value; some of it is none, some is such that only Python takes it.
VALUES = {
    **{text: text for text in ("null", "true", "false", "0", "-1", "1.5", "1e999", "NaN", "-Infinity", "[]", "{}")},
    **{text: text for text in ('""', '"x"', "[1]", '{"a": 1}', "'x'", "undefined", "0x10", "1,")},
    "a NUL": '"/v/\\u0000"',
    "a line feed": '"/v/\\n"',
    "a lone surrogate": '"/v/\\ud800"',
    "a raw NUL": '"/v/\0"',
    "a variable": '"${HOME}/../../${PRIME_UVE_VENVS}$"',
    "a huge text": json.dumps("/" + "x" * 100_000),
    "a huge number": "1" * 10_000,
    "deep lists": "[" * _DEEP + "]" * _DEEP,
    "deep objects": '{"a":' * _DEEP + "1" + "}" * _DEEP,
    "lists without an end": "[" * _DEEP,
}
Mutation = tuple[str, bytes]


def _document(**changes: str) -> bytes:
    """Lay the document out, with raw text in the place of some values; an empty text leaves the member out."""
    members = {"version": '"1.0"', "venvs": json.dumps(ROWS), "later": '{"y": 1}', **changes}
    return ("{" + ", ".join(f'"{name}": {text}' for name, text in members.items() if text) + "}").encode()


def _with_row(**changes: str) -> bytes:
    members = {name: json.dumps(value) for name, value in ROWS["/p/two"].items()} | changes
    row = "{" + ", ".join(f'"{name}": {text}' for name, text in members.items() if text) + "}"
    return WHOLE.replace(json.dumps(ROWS["/p/two"]).encode(), row.encode())


def _fields() -> Iterator[Mutation]:
    for field in (*ROWS["/p/two"], "new"):
        for name, text in {**VALUES, "nothing": ""}.items():
            yield f"{field} is {name}", _with_row(**{field: text})


def _members() -> Iterator[Mutation]:
    for member in ("version", "venvs", "later", "new", "damage_seen"):
        for name, text in {**VALUES, "nothing": ""}.items():
            yield f"{member} is {name}", _document(**{member: text})
    for name, text in VALUES.items():
        yield f"a row is {name}", _document(venvs=json.dumps(ROWS)[:-1] + f', "/p/five": {text}}}')
        yield f"all is {name}", text.encode("utf-8", "surrogatepass")
    for key in ("", "relative", "/p/\\u0000", "/p/\\ud800", "/" + "x" * 5000, "/p/../one", "/p/\\n", "//"):
        yield f"a project is {key[:20]}", _document(venvs=json.dumps(ROWS)[:-1] + f', "{key}": {{"venv_path": "/v"}}}}')


def _encodings() -> Iterator[Mutation]:
    text = WHOLE.decode().replace("/p/two", "/p/zwölf")
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "latin-1", "utf-7"):
        raw = text.encode(encoding)
        yield f"{encoding}", raw
        yield f"{encoding}, cut", raw[: len(raw) // 2 + 1]
        yield f"{encoding}, after itself", raw + raw
    yield "lines end with CRLF", WHOLE.replace(b"\n", b"\r\n")
    yield "lines end with CR", WHOLE.replace(b"\n", b"\r")
    yield "one line", WHOLE.replace(b"\n", b"")
    yield "tabs", WHOLE.replace(b"    ", b"\t")
    yield "two marks", b"\xef\xbb\xbf" * 2 + WHOLE


def _names() -> Iterator[Mutation]:
    yield "a row twice", WHOLE.replace(b"/p/two", b"/p/one")
    yield "a field twice", WHOLE.replace(b'"mount"', b'"venv_path"')
    yield "the rows twice", WHOLE.replace(b'"later": {"y"', b'"venvs": {"y"')
    yield "the version twice", WHOLE.replace(b"{", b'{"version": "9.0",', 1)
    yield "a conflict", WHOLE.replace(b'    "/p/two"', b'<<<<<<< HEAD\n=======\n>>>>>>> x\n    "/p/two"')
    yield "a comment", b"// mine\n" + WHOLE
    yield "commas at the end", WHOLE.replace(b"}\n", b"},\n")


def _sizes() -> Iterator[Mutation]:
    yield "nothing", b""
    yield "one byte", b"{"
    yield "zero bytes", bytes(len(WHOLE))
    yield "a block of zero bytes at the end", WHOLE + bytes(4096)
    yield "a block of zero bytes at the beginning", bytes(4096) + WHOLE
    yield "blanks", WHOLE + b" " * 1_000_000
    yield "braces", b"{" * 1_000_000
    yield "quotes", WHOLE[:-10] + b'"' * 200_001
    yield "many heads", b'"venvs": {' * 20_000


def _cuts() -> Iterator[Mutation]:
    for end in range(len(WHOLE)):
        yield f"cut at {end}", WHOLE[:end]


def _hits(number: int) -> Iterator[Mutation]:
    """Bytes changed, taken out, put in, moved and overwritten: what a bad disk or a bad program does."""
    for index in range(number):
        chance = random.Random(f"{budget.SEED} {index}")  # noqa: S311  # no secret
        raw = bytearray(WHOLE)
        kinds = []
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            at, size = chance.randrange(len(raw)), chance.choice((1, 1, 2, 16, 128))
            kind = chance.choice(("flip", "zeros", "noise", "take out", "put in", "again"))
            kinds.append(kind)
            match kind:
                case "flip":
                    raw[at] ^= 1 << chance.randrange(8)
                case "zeros":
                    raw[at : at + size] = bytes(size)
                case "noise":
                    raw[at : at + size] = chance.randbytes(size)
                case "take out":
                    del raw[at : at + size]
                case "put in":
                    raw[at:at] = bytes(chance.choices(b'{}[]",:\\\n\0 1e', k=size))
                case _:
                    raw[at:at] = raw[chance.randrange(len(raw)) :][:size]
        yield f"hit {index}: {', '.join(kinds)}", bytes(raw)


def _all(kind: Callable[[], Iterator[Mutation]], size: int) -> list[Mutation]:
    return budget.sample(kind.__name__, list(kind()), size)


def mutations() -> dict[str, list[Mutation]]:
    """Return them by kind; in CI a sample of the kinds that are many."""
    return {
        "a field of another type": _all(_fields, 60),
        "a member of another type": _all(_members, 80),
        "another encoding": _all(_encodings, 100),
        "a name that is there twice": _all(_names, 100),
        "another size": _all(_sizes, 100),
        "a cut": _all(_cuts, 40),
        "a hit": list(_hits(2000 if budget.IS_LONG else 80)),
    }


# Too big to be made before they are needed.
HUGE: dict[str, Callable[[], bytes]] = {
    "100 MB of zero bytes": lambda: WHOLE + bytes(100_000_000),
    "100 MB of blanks": lambda: WHOLE + b" " * 100_000_000,
    "100 MB of brackets": lambda: b"[" * 100_000_000,
    "100 MB in one text": lambda: WHOLE.replace(b"/mnt", b"x" * 100_000_000, 1),
    "more than is read": lambda: WHOLE + bytes(130 << 20),
}


def strictly(raw: bytes) -> dict[str, Any] | None:
    """Return what a reader that forgives nothing takes from the bytes: ``None`` if it is not one whole document."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a name occurs twice")
        return dict(pairs)

    try:
        values = json.loads(raw, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return None
    is_one = isinstance(values, dict) and isinstance(values.get("venvs"), dict)
    return values if is_one else None
