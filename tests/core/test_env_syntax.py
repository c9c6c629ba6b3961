"""What ``core.env_syntax`` reads, refuses and writes. That uv reads the same is shown in ``test_env_syntax_fuzz``."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from dotenv import dotenv_values
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

import prime_uve
from prime_uve.core.env_file import KEY, LOCAL_NAME, NAME
from prime_uve.core.env_syntax import is_plain, parse, with_value
from prime_uve.errors import EnvFileError

# "adds" is what uv adds to the environment, null where the file is refused, then with the line and the key to be named.
CASES = json.loads((Path(__file__).parent / "data" / "env_file_cases.json").read_bytes())
BOM = b"\xef\xbb\xbf"
HIDDEN = "hunter2"
ENVIRON = {"HOME": "/home/jane doe", "PRIME_UVE_VENVS": "/big disk/venvs"}


def raw_dotenv(content: bytes) -> dict[str, str | None]:
    return dotenv_values(stream=io.StringIO(content.decode(), newline=None), interpolate=False)


def expanded(value: str) -> str:
    for name, meaning in ENVIRON.items():
        value = value.replace("${" + name + "}", meaning)
    return value


def test_the_names_are_the_documented_ones() -> None:
    assert (NAME, LOCAL_NAME, KEY) == (".env.uve", ".env.uve.local", "UV_PROJECT_ENVIRONMENT")


def test_importing_the_module_loads_nothing_but_this_package() -> None:
    root = str(Path(prime_uve.__file__).parents[1])
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules); import prime_uve.core.env_syntax;"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('prime_uve')))"
    )
    run = subprocess.run([sys.executable, "-ISc", script, root], capture_output=True, text=True, check=True)

    assert run.stdout.split() == []


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['id']} {case['title']}") for case in CASES])
def test_a_file_is_read_as_uv_reads_it(case: dict[str, Any]) -> None:
    content = os.fsencode(case["content"])

    if case["adds"] is not None:
        assert parse(content, case["env"]) == case["adds"]
        return
    with pytest.raises(EnvFileError) as caught:
        parse(content, case["env"])
    assert (caught.value.line, caught.value.key) == (case["line"], case["key"])
    named = f" ({case['key']})" if case["key"] else ""
    assert str(caught.value).startswith(f"line {case['line']}{named}: ")


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(BOM + b"A=1\nB=${A}\n", {}) == {"A": "1", "B": "1"}


def test_the_order_is_that_of_the_file() -> None:
    assert list(parse(b"B=1\nA=1\nC=1\nA=2\n", {})) == ["B", "A", "C"]


def test_the_environment_is_only_read() -> None:
    environ = {"A": "1"}

    parse(b"A=2\nB=${A}\n", environ)

    assert environ == {"A": "1"}


@pytest.mark.parametrize(
    ("char", "class_"),
    [("\u093e", "a vowel sign"), ("\u0301", "an accent"), ("\u24d0", "a letter in a circle"), ("\u0378", "unassigned")],
)
def test_a_character_that_uv_may_take_for_a_letter_of_a_bare_name_is_refused(char: str, class_: str) -> None:
    with pytest.raises(EnvFileError, match=r"^line 2 \(B\): it is doubtful .* write `\$\{NAME\}`$"):
        parse(f"A=1\nB=$HOME{char}\n".encode(), {})

    assert parse(f"B=${{HOME}}{char}\n".encode(), {"HOME": "/h"}) == {"B": f"/h{char}"}, class_


REASONS = [
    ("a blank", f"B={HIDDEN} {HIDDEN}\n", "line 1 (B): a blank in a value without quotes: put the value into quotes"),
    ("text after quotes", f'B="{HIDDEN}" {HIDDEN}\n', "line 1 (B): a blank in a value without quotes"),
    ("an open double quote", f'B="{HIDDEN}\nC=1\n', 'line 1 (B): a quote (") is not closed before the end of the file'),
    ("an open single quote", f"B={HIDDEN}'s\n", "line 1 (B): a quote (') is not closed before the end of the file"),
    ("a single quote open in the value", f"B=\\\\'{HIDDEN}\\'\n'\n", "line 1 (B): a single quote is not closed"),
    ("a bare name before a quote", f'B="{HIDDEN}$HOME"\n', "line 1 (B): a double quote is not closed"),
    ("an open brace", f"B=${{{HIDDEN}\n", "line 1 (B): a `${` is not closed"),
    ("an unknown escape", f"B=\\t{HIDDEN}\n", "line 1 (B): an unknown escape: write a backslash as two"),
    ("a backslash at the end", f"B={HIDDEN}\\", "line 1 (B): a backslash is the last character of the file"),
    ("a blank at the end", f"B={HIDDEN} ", "line 1 (B): a blank is the last character of the file: end the line"),
    ("no equals sign", f"A=1\n{HIDDEN}\n", "line 2: there is no `=`"),
    ("no equals sign after export", f"export {HIDDEN}\n", "line 1: there is no `=`"),
    ("no name", f"A=1\n\n{HIDDEN} {HIDDEN}={HIDDEN}\n", "line 3: `=` has no valid name before it"),
    ("a NUL", f"export B={HIDDEN}\0\n", "line 1 (B): the value holds a NUL character"),
    ("bytes that are not UTF-8", f"A={HIDDEN}\nB={HIDDEN}\udce9{HIDDEN}\n", "line 2: bytes that are not UTF-8"),
    ("a statement of several lines", f"A='1\n2'\nB=\"{HIDDEN}\n\n\"\\x", "line 3 (B): an unknown escape"),
]


@pytest.mark.parametrize(("content", "message"), [pytest.param(*row[1:], id=row[0]) for row in REASONS])
def test_a_refusal_names_line_key_and_reason_and_never_the_value(content: str, message: str) -> None:
    with pytest.raises(EnvFileError) as caught:
        parse(os.fsencode(content), {})
    with pytest.raises(EnvFileError) as caught_by_edit:
        with_value(os.fsencode(content), KEY, "x")

    assert str(caught.value).startswith(message)
    assert str(caught_by_edit.value) == str(caught.value)
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert not any(HIDDEN in repr(error) for error in chain)


@settings(deadline=None)
@given(st.binary() | st.text("AB= \t'\"\\#$\n\r{}x\0\u00a0é").map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        added = parse(content, {"A": "x"})
    except EnvFileError:
        return
    assert "A" not in added


NEW = "${HOME}/prime-uve/venvs/x_1"
EDITS = [
    ("into an empty file", b"", NEW, b"K=" + NEW.encode() + b"\n"),
    ("into a file that is only a mark", BOM, "x", BOM + b"K=x\n"),
    ("after a last line without a newline", b"A=1", "x", b"A=1\nK=x\n"),
    ("after a comment without a newline", b"A=1\n# K=2", "x", b"A=1\n# K=2\nK=x\n"),
    ("after CRLF lines", b"A=1\r\nB=2\r\n", "x", b"A=1\r\nB=2\r\nK=x\r\n"),
    ("after CRLF lines without a last newline", b"A=1\r\nB=2", "x", b"A=1\r\nB=2\r\nK=x\r\n"),
    ("after blank lines", b"A=1\n\n\n", "x", b"A=1\n\n\nK=x\n"),
    ("in place", b"A=1\nK=old\nB=2\n", "x", b"A=1\nK=x\nB=2\n"),
    ("in place in CRLF lines", b"A=1\r\nK=old\r\nB=2\r\n", "x", b"A=1\r\nK=x\r\nB=2\r\n"),
    ("without a newline at the end", b"K=old", "x", b"K=x"),
    ("after export", b"export K=old\n", "x", b"export K=x\n"),
    ("with blanks around =", b" K = old \n", "x", b" K = x \n"),
    ("before a comment", b"K=old # it's\nB=2\n", "x", b"K=x # it's\nB=2\n"),
    ("of a value in quotes", b"K=\"o l\"'d' # c\n", "x", b"K=x # c\n"),
    ("of a value of several lines", b"K='a\nb'\nB=2\n", "x", b"K=x\nB=2\n"),
    ("of a value that ends in a backslash", b"K=old\\\nB=2\n", "x", b"K=x\nB=2\n"),
    ("of an empty value", b"K=\nB=2\n", "x", b"K=x\nB=2\n"),
    ("of an empty value and blanks", b"K=  \nB=2\n", "x", b"K=x  \nB=2\n"),
    ("of an empty value before a comment", b"K= # c\n", "x", b"K=x # c\n"),
    ("of an empty value right before a comment", b"K=#c\n", "x", b"K=x #c\n"),
    ("of the first of two definitions", b"K=1\nK=2\n", "x", b"K=x\nK=2\n"),
    ("of no other key", b"XK=1\nK.=1\n#K=1\nA='\nK=1'\n", "x", b"XK=1\nK.=1\n#K=1\nA='\nK=1'\nK=x\n"),
    ("empty", b"K=old # c\n", "", b'K="" # c\n'),
    ("with a blank", b"K=\n", "${HOME}/a b", b'K="${HOME}/a b"\n'),
    ("with a hash", b"K=\n", "a#b", b'K="a#b"\n'),
    ("with an apostrophe", b"K=\n", "it's", b'K="it\'s"\n'),
    ("with a double quote", b"K=\n", 'a"b', b'K="a\\"b"\n'),
    ("with backslashes", b"K=\n", "C:\\Users\\\\me\\", b'K="C:\\\\Users\\\\\\\\me\\\\"\n'),
    ("with a non-breaking space at its end", b"K=\n", "x\u00a0", b'K="x\xc2\xa0"\n'),
    ("with a dollar", b"K=\n", "a $b", b"K='a $b'\n"),
    ("with a dollar and a backslash", b"K=\n", "$a\\b", b"K='$a\\b'\n"),
    ("with the reference to the base", b"K=\n", "${PRIME_UVE_VENVS}/x", b"K=${PRIME_UVE_VENVS}/x\n"),
]


@pytest.mark.parametrize(("content", "value", "edited"), [pytest.param(*row[1:], id=row[0]) for row in EDITS])
def test_one_value_is_written(content: bytes, value: str, edited: bytes) -> None:
    assert with_value(content, "K", value) == edited
    assert parse(edited, ENVIRON)["K"] == expanded(value)


UNWRITABLE = [
    ("a newline", b"", "a\nb", "line break"),
    ("a carriage return", b"", "a\rb", "line break"),
    ("a NUL", b"", "a\0b", "NUL"),
    ("a surrogate", b"", "a\udce9b", "not UTF-8"),
    ("a dollar beside a reference", b"", "${HOME}/$x", "no spelling"),
    ("a dollar before a reference", b"", "$${HOME}", "no spelling"),
    ("a reference to another variable beside one to HOME", b"", "${HOME}${X}", "no spelling"),
    ("two references, one inside the other", b"", "${PRIME_${HOME}UVE_VENVS}", "no spelling"),
    ("a dollar and an apostrophe", b"", "it's $5", "no spelling"),
    ("a dollar and two backslashes", b"", "\\\\host\\c$", "no spelling"),
    ("a dollar and a backslash at the end", b"", "$x\\", "no spelling"),
    ("a comment that would no longer reach over lines", b"K='\\' # c\nB=2'\n", "x", "line 1 \\(K\\): changing"),
    ("a line that would no longer end the file", b"A=1\nK=x\\ ", "y", "line 2 \\(K\\): changing"),
]


@pytest.mark.parametrize(("content", "value", "reason"), [pytest.param(*row[1:], id=row[0]) for row in UNWRITABLE])
def test_what_cannot_be_written_safely_is_refused(content: bytes, value: str, reason: str) -> None:
    with pytest.raises(EnvFileError, match=reason) as caught:
        with_value(content, "K", value)

    assert caught.value.key == "K"
    assert value not in str(caught.value)


PIECES = [
    "${HOME}",
    "${PRIME_UVE_VENVS}",
    "/",
    "x",
    "é",
    "a b",
    "#",
    " #",
    "'",
    '"',
    "\\",
    "\\n",
    "$",
    "=",
    "\u3000",
    "\x1f",
]
WRITABLE = st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])
VALUES = st.lists(st.sampled_from(PIECES)).map("".join) | st.text(WRITABLE)
OTHERS = ["A=1", "# it's", "", "export B='x y' # c", "C=${A}", 'D="l1\nl2"', "  E = x", f"#{KEY}=1", f"X{KEY}=2", "F="]
HEADS = ["", "export ", "  ", "export\t"]
OLD = ["old", '"o l d"', "'${HOME}'", "'a\nb'", "${HOME}/x"]
TAILS = ["", " # it's", "  ", "\t# c", "  # c"]


def several_lines(line_end: str) -> st.SearchStrategy[str]:
    lines = st.lists(st.sampled_from(OTHERS), max_size=4)
    return lines.map(lambda given: "".join(line + "\n" for line in given).replace("\n", line_end))


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """Give a file in three pieces: what stands before the value of our key, the value, and what follows it."""
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    lines = several_lines(line_end)
    before = draw(lines) + draw(st.sampled_from(HEADS)) + KEY + draw(st.sampled_from(["=", " = ", "= "]))
    old = draw(st.sampled_from(OLD)).replace("\n", line_end)
    after = draw(st.sampled_from(TAILS)) + draw(lines.map(lambda below: line_end + below) | st.just(""))
    return before.encode(), old.encode(), after.encode()


def edited_or_refused(content: bytes, value: str) -> bytes | None:
    """Return the edited file, or ``None`` if the value is one of those that only a ``$`` makes unwritable."""
    try:
        return with_value(content, KEY, value)
    except EnvFileError:
        assert "$" in value.replace("${HOME}", "")
        return None


@settings(deadline=None)
@given(files(), VALUES)
@example(
    (b"A=1\r\nexport K" + KEY.encode() + b"=1\r\n" + KEY.encode() + b"=", b"old", b" # it's\r\nB=2"), "${HOME}/a b"
)
def test_an_edit_keeps_every_other_byte_and_both_readers_agree(file: tuple[bytes, bytes, bytes], value: str) -> None:
    before, old, after = file
    content = before + old + after
    edited = edited_or_refused(content, value)
    if edited is None:
        return

    assert edited.startswith(before)
    assert edited.endswith(after)
    assert parse(edited, ENVIRON) == parse(content, ENVIRON) | {KEY: expanded(value)}
    assert raw_dotenv(edited) == raw_dotenv(content) | {KEY: value}
    assert with_value(edited, KEY, value) == edited
    assert with_value(BOM + content, KEY, value) == BOM + edited


@settings(deadline=None)
@given(several_lines("\n") | several_lines("\r\n"), VALUES)
def test_an_added_line_keeps_every_byte_and_both_readers_agree(lines: str, value: str) -> None:
    content = lines.encode()
    edited = edited_or_refused(content, value)
    if edited is None:
        return

    assert edited.startswith(content)
    assert edited.endswith(b"\r\n") == content.endswith(b"\r\n")
    assert parse(edited, ENVIRON) == parse(content, ENVIRON) | {KEY: expanded(value)}
    assert raw_dotenv(edited) == raw_dotenv(content) | {KEY: value}


STRANGE = ["A=", "B=", "A", "x", " ", "'", '"', "\\", "#", "\n", "\n", "\r", "\u00a0"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(STRANGE)).map("".join))
@example("A='\\' #\nB=x'\n")
@example("A=#it's\nB=x'\n")
def test_an_edit_of_a_strange_file_changes_one_variable_or_is_refused(content: str) -> None:
    data = content.encode()
    try:
        before = parse(data, {})
    except EnvFileError:
        reject()
    try:
        edited = with_value(data, "A", "new")
    except EnvFileError:
        return
    assert parse(edited, {}) == before | {"A": "new"}


PLAIN = {
    "empty": "",
    "the normal file": f"{KEY}=${{HOME}}/prime-uve/venvs/x_1\n",
    "no newline at the end": f"{KEY}=${{HOME}}/prime-uve/venvs/x_1",
    "the base": f"{KEY}=${{PRIME_UVE_VENVS}}/x_1\n",
    "a comment with quotes": f'# it\'s "so" $X \\\n\n{KEY}=/x\n',
    "several variables": "A=1\nB=http://localhost:8000/v1?a=b&c={d};e|f\nexport=1\n",
    "an empty value": "A=\nB==\n",
}
NOT_PLAIN = {
    "quotes": "A='x'\n",
    "double quotes": 'A="x"\n',
    "a quote in a value": "A=it's\n",
    "a blank at the end": "A=x \n",
    "a blank at the beginning": " A=x\n",
    "blanks around =": "A = x\n",
    "a blank before a comment": " # c\n",
    "a comment behind a value": "A=x # c\n",
    "a hash in a value": "A=x#c\n",
    "export": "export A=x\n",
    "a backslash": "A=\\x\n",
    "a name twice": "A=x\nB=y\nA=x\n",
    "no equals sign": "A\n",
    "no name": "=x\n",
    "a dot in a name": "A.B=x\n",
    "a dash in a name": "A-B=x\n",
    "a digit before a name": "1A=x\n",
    "another variable": "A=${B}\n",
    "a variable without braces": "A=$HOME/x\n",
    "a default": "A=${HOME:-x}\n",
    "a dollar": "A=x$\n",
    "a dollar before a reference": "A=$${HOME}\n",
    "a reference in a reference": "A=${PRIME_${HOME}UVE_VENVS}\n",
    "a home of its own": "HOME=/x\nA=${HOME}/y\n",
    "a base of its own": "A=${PRIME_UVE_VENVS}/y\nPRIME_UVE_VENVS=/x\n",
    "CRLF": "A=x\r\n",
    "a return in a comment, which ends it for some": f"# c\r{KEY}=/x\n",
    "a NUL in a comment": "# c\0\n",
    "a tab": "A=x\t\n",
    "a form feed": "A=x\f\n",
    "a mark": "\ufeffA=x\n",
    "letters that are not ASCII": "A=é\n",
    "a name that is not ASCII": "É=x\n",
    "a comment that is not ASCII": "# é\n",
}


@pytest.mark.parametrize("content", PLAIN.values(), ids=PLAIN)
def test_a_plain_file_is_known_as_one(content: str) -> None:
    assert is_plain(content.encode())


@pytest.mark.parametrize("content", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_another_reader_may_take_differently_is_not_plain(content: str) -> None:
    assert not is_plain(content.encode())


def test_bytes_that_are_not_text_are_not_plain() -> None:
    assert not is_plain(b"A=\xff\n")


NAMES = ["A", "B", "C", KEY, "export", "_"]
VALUE_PIECES = ["x", "/", "=", "${HOME}", "${PRIME_UVE_VENVS}", "{", "}", "~", ";", "HOME", "PRIME_", "UVE_VENVS"]
ODD_PIECES = [
    "$",
    "#",
    " ",
    "\t",
    "\r",
    "\0",
    "'",
    '"',
    "\\",
    "\f",
    "\x1c",
    "\x7f",
    "é",
    "${A}",
    "${A:-x}",
    "$A",
    "HOME=",
]
GOOD_LINES = st.builds(
    "{}={}".format, st.sampled_from(NAMES), st.lists(st.sampled_from(VALUE_PIECES), max_size=4).map("".join)
)
ANY_LINES = st.lists(st.sampled_from(["# c", *NAMES, *VALUE_PIECES, *ODD_PIECES])).map("".join)
MIXED_LINES = st.lists(GOOD_LINES | ANY_LINES, max_size=4)
PLAIN_LINES = st.lists(GOOD_LINES | st.just("# c'"), max_size=4, unique_by=lambda line: line.partition("=")[0])


@settings(deadline=None, max_examples=300)
@given(PLAIN_LINES | MIXED_LINES, st.sampled_from(["\n", "\n", "\r\n"]), st.sampled_from(["", "\n"]))
@example(["HOME=/x", "A=${HOME}/y"], "\n", "\n")
@example(["# c\rA=1"], "\n", "\n")
@example(["A=${PRIME_${HOME}UVE_VENVS}"], "\n", "\n")
def test_what_is_plain_is_read_alike_by_uv_and_python_dotenv(lines: list[str], line_end: str, end: str) -> None:
    content = (line_end.join(lines) + end).encode()
    if not is_plain(content):
        return
    with mock.patch.dict(os.environ, ENVIRON, clear=True):
        interpolated = dotenv_values(stream=io.StringIO(content.decode()))

    assert parse(content, ENVIRON) == interpolated
