"""The text of an env file: read exactly as uv reads an ``--env-file``, and edited one value at a time.

uv (0.13) reads with the Rust crate dotenvy 0.15.7, whose rules are stranger than they look: quotes are seen once when
the text is cut into statements and once more, differently, when a value is read. Both passes are kept apart here, too.
A statement that uv would warn about, and stop reading at, is refused instead.

Every run of ``uve`` passes through this module: it imports nothing that a bare interpreter has not loaded.
"""

from prime_uve.errors import EnvFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_BOM = b"\xef\xbb\xbf"
# Unicode White_Space. Not str.isspace() nor a bare strip(), which count U+001C to U+001F, too.
_WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_BLANK = frozenset(_WHITE) - {"\r", "\n"}
# What a value can consist of and be read alike with and without quotes, by uv and by python-dotenv.
_NOT_BARE = frozenset(_WHITE + "\x1c\x1d\x1e\x1f#'\"\\$")
_REFERRED = ("HOME", "PRIME_UVE_VENVS")
_REFERENCES = tuple(f"${{{name}}}" for name in _REFERRED)


def parse(data: bytes, environ: "Mapping[str, str]") -> dict[str, str]:
    """Return the variables that ``uv run --env-file`` would add to ``environ``, expanded.

    What ``environ`` holds already, be it empty, is not in the result; of several definitions the first counts.
    ``environ`` is like ``os.environ``; a value in it that is not UTF-8 (it has surrogates) counts as unset.
    Unlike uv, a byte order mark is skipped, and ``EnvFileError`` is raised for a file that uv would read only in part
    or not at all; its message begins with the line and the key, and never shows text of a value.
    """
    text = _decode(data)
    added: dict[str, str] = {}
    for key, value, start, _ in _definitions(text, environ):
        if key in added or _existing(environ, key) is not None:
            continue
        if "\0" in value:
            raise _refusal(text, start, key, "the value holds a NUL character")
        added[key] = value
    return added


def with_value(data: bytes, key: str, value: str) -> bytes:
    """Return ``data`` with ``value`` for ``key``: in the definition that counts for uv, the first, or in a line added.

    Every other byte stays. ``${HOME}`` and ``${PRIME_UVE_VENVS}`` in ``value`` are references, everything else is
    meant literally. ``parse()`` gives the expanded value, python-dotenv (``interpolate=False``) ``value`` itself.
    Raises ``EnvFileError`` for a file that ``parse()`` would refuse in an empty environment, and for a value or a place
    that cannot be written so that both readers agree and no other variable changes.
    """
    parse(data, {})
    text = _decode(data)
    spelled = _spell(key, value)
    old = list(_definitions(text, {}))
    index = next((index for index, definition in enumerate(old) if definition[0] == key), len(old))
    if index < len(old):
        _, _, start, stop = old[index]
        comment_follows = text.startswith("#", stop)
        new = text[:start] + spelled + (" " if comment_follows else "") + text[stop:]
    else:
        start = len(text)
        line_end = "\r\n" if text[: text.rfind("\n") + 1].endswith("\r\n") else "\n"
        new = text if text.endswith("\n") or not text else text + line_end
        new += f"{key}={spelled}{line_end}"
    # A quote in a comment can reach over lines for uv, so that a change before it moves where statements begin.
    wanted = [(name, text[begin:end]) for name, _, begin, end in old]
    wanted[index : index + 1] = [(key, spelled)]
    try:
        kept = [(name, new[begin:end]) for name, _, begin, end in _definitions(new, {})] == wanted
    except EnvFileError:
        kept = False
    if not kept:
        raise _refusal(text, start, key, "changing this value would change how the lines below it are read")
    return (_BOM if data.startswith(_BOM) else b"") + new.encode()


def is_plain(data: bytes) -> bool:
    """Tell whether every program takes the same from a file, so that no second reader has to be asked.

    It is printable ASCII and holds nothing but comments, empty lines and ``NAME=value``, each name once, without
    quotes, blanks or escapes, and with no references but ``${HOME}`` and ``${PRIME_UVE_VENVS}``, which it does not set.
    """
    return plain_values(data) is not None


def plain_values(data: bytes) -> dict[str, str] | None:
    """Return what a plain file (see `is_plain`) says, references not replaced; ``None`` for any other."""
    if not data.isascii():
        return None
    values: dict[str, str] = {}
    for line in data.decode().split("\n"):
        if not line.isprintable():
            return None
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        rest = value
        if "$" in value:
            for reference in _REFERENCES:
                rest = rest.replace(reference, "/")
        # It is doubtful what refers to a variable that the file itself sets.
        is_ours = name.isidentifier() and name not in values and name not in _REFERRED
        if not (equals and is_ours and _NOT_BARE.isdisjoint(rest)):
            return None
        values[name] = value
    return values


def _spell(key: str, value: str) -> str:
    """Return ``value`` as it has to stand in the file; the escapes used are the few that both readers know."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise EnvFileError(f"{key}: the new value is not UTF-8", key=key) from None
    if not {"\n", "\r", "\0"}.isdisjoint(value):
        raise EnvFileError(f"{key}: the new value holds a line break or a NUL character", key=key)
    rest = value
    for reference in _REFERENCES:
        rest = rest.replace(reference, "/")
    if value and _NOT_BARE.isdisjoint(rest):
        return value
    if "$" not in rest:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    # python-dotenv has no escape for `$`, and in single quotes it does have two, a doubled backslash and an apostrophe.
    if rest == value and "'" not in value and "\\\\" not in value and not value.endswith("\\"):
        return f"'{value}'"
    reason = "the new value has a `$` that is no reference, and no spelling of it reads alike in uv and python-dotenv"
    raise EnvFileError(f"{key}: {reason}", key=key)


def _decode(data: bytes) -> str:
    data = data.removeprefix(_BOM)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise EnvFileError(f"line {line}: bytes that are not UTF-8", line=line)


def _existing(environ: "Mapping[str, str]", name: str) -> str | None:
    """Return the value that ``name`` has for uv, to which one that is not UTF-8 (it has surrogates) is none."""
    value = environ.get(name)
    if value is not None and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return None
    return value


def _refusal(text: str, start: int, key: str, reason: str) -> EnvFileError:
    line = text.count("\n", 0, start) + 1
    return EnvFileError(f"line {line}{f' ({key})' if key else ''}: {reason}", line=line, key=key or None)


def _definitions(text: str, environ: "Mapping[str, str]") -> "Iterator[tuple[str, str, int, int]]":
    """Yield key, value, and where the text of the value begins and ends, of each definition in the file."""
    above: dict[str, str] = {}

    def refer(name: str) -> str:
        value = _existing(environ, name)
        return above.get(name, "") if value is None else value

    for start, end, cut_off in _statements(text):
        head, equals, tail = text[start:end].partition("=")
        key = _key(head) if equals else ""
        if cut_off:
            raise _refusal(text, start, key, cut_off)
        if not key:
            raise _refusal(text, start, key, "`=` has no valid name before it" if equals else "there is no `=`")
        begin = stop = start + len(head) + 1
        value = ""
        if tail.strip(_WHITE)[:1] not in ("", "#"):
            begin += len(tail) - len(tail.lstrip(_WHITE))
            try:
                value, stop = _value(text, begin, start + len(text[start:end].rstrip(_WHITE)), refer)
            except ValueError as error:
                raise _refusal(text, start, key, str(error)) from None
        above[key] = value
        yield key, value, begin, stop


def _key(head: str) -> str:
    """Return the name in what stands before ``=``, or ``""`` if that is not a name."""
    name = head.strip(_WHITE)
    if name.startswith("export") and name[6:7] in _BLANK:
        name = name[6:].lstrip(_WHITE)
    return name if name.isascii() and name.replace(".", "_").isidentifier() and name[0] != "." else ""


def _statements(text: str) -> "Iterator[tuple[int, int, str]]":
    """Yield where each statement begins and ends and, if the end of the file cuts it off, what is missing."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        line = text[start:] if end < 0 else text[start:end]
        missing = ""
        if line.strip(_WHITE)[:1] != "#":
            end, missing = _cut(text, start)
            if missing or text[start:end].strip(_WHITE):
                yield start, end, missing
            end = text.find("\n", end)
        start = end + 1 if end >= 0 else len(text)


def _cut(text: str, start: int) -> tuple[int, str]:
    """Return where the statement ends and, if the end of the file cuts it off, what is missing.

    A backslash hides the next character inside single quotes as well, and a ``#`` after an even number of blanks is not
    seen: that is how uv does it.
    """
    quote = ""
    escaped = blank = False
    for pos in range(start, len(text)):
        char = text[pos]
        if (char == "\n" and not quote) or (char == "#" and blank):
            return pos, ""
        blank = not (blank or escaped or quote) and char in _BLANK
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
    if quote:
        return len(text), f"a quote ({quote}) is not closed before the end of the file"
    if escaped:
        return len(text), "a backslash is the last character of the file"
    return len(text), "a blank is the last character of the file: end the line" if blank else ""


def _value(text: str, pos: int, end: int, refer: "Callable[[str], str]") -> tuple[str, int]:
    """Return the value whose text begins at ``pos`` and where that text ends; ``ValueError`` says what is wrong."""
    parts: list[str] = []
    quoted = False
    while pos < end:
        char = text[pos]
        if char in " \t" and not quoted:
            if not text[pos:end].lstrip(" \t").startswith("#"):
                raise ValueError("a blank in a value without quotes: put the value into quotes")
            break
        pos += 1
        if char == '"':
            quoted = not quoted
        elif char == "'" and not quoted:
            close = text.find("'", pos, end)
            if close < 0:
                raise ValueError("a single quote is not closed")
            parts.append(text[pos:close])
            pos = close + 1
        elif char == "$":
            part, pos = _reference(text, pos, end, refer)
            parts.append(part)
        elif char == "\\":
            parts.append(_escaped(text[pos:end][:1]))
            pos += 1
        else:
            parts.append(char)
    if quoted:
        raise ValueError("a double quote is not closed (right after `$NAME` it is text: write `${NAME}`)")
    return "".join(parts), min(pos, end)


def _escaped(char: str) -> str:
    if char == "n":
        return "\n"
    if char in "\\'\"$ ":
        return char
    raise ValueError("an unknown escape: write a backslash as two, or put the value into single quotes")


def _reference(text: str, pos: int, end: int, refer: "Callable[[str], str]") -> tuple[str, int]:
    """Return what the ``$`` before ``pos`` gives, and where to read on."""
    if text.startswith("{", pos, end):
        close = text.find("}", pos, end)
        if close < 0:
            raise ValueError("a `${` is not closed")
        return refer(text[pos + 1 : close]), close + 1
    stop = pos
    while stop < end and text[stop].isalnum():
        stop += 1
    value = refer(text[pos:stop])
    # uv takes the character after the name as text, whatever it is, unless it begins the next reference.
    if stop == end or text[stop] == "$":
        return value, stop
    if _is_doubtful(text[stop]):
        raise ValueError("it is doubtful whether a character after `$NAME` belongs to the name: write `${NAME}`")
    return value + text[stop], stop + 1


def _is_doubtful(char: str) -> bool:
    """Whether uv may take ``char`` for a letter although ``str.isalnum()`` does not.

    Those are combining marks (of which all may continue an identifier, and half are letters to uv), letters in circles
    and squares, and what this version of Python does not know yet.
    """
    if char.isascii() or char in _WHITE:
        return False
    framed = "\u24b6" <= char <= "\u24e9" or "\U0001f130" <= char <= "\U0001f189"
    return framed or not char.isprintable() or f"_{char}".isidentifier()
