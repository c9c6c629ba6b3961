"""The text of a native hook: one for all events, as it is shipped, filled in and recognised."""

import shutil
import sys
from pathlib import Path

import pytest

import prime_uve
from prime_uve.core.hooks.text import EVENTS, Author, author, digest, filled, shipped_text
from tests import staging
from tests.commands import Run
from tests.isolation import ROOT

TEXT = (ROOT / "hooks/pre-commit").read_bytes()
EARLIER = b"""\
#!/bin/sh
# A native Git hook of prime-uve. One text for every event: the name of the file is the event.
event=${0##*/}
if command -v prime-uve-hook >/dev/null 2>&1; then
    exec prime-uve-hook "$event" "$@"
fi
echo "prime-uve: prime-uve-hook is not on PATH, so $event did nothing; install it: uv tool install prime-uve" >&2
case $event in
pre-*) exit 1 ;;
*) exit 0 ;;
esac
"""


def test_there_is_one_text_for_all_events() -> None:
    assert {path.name: path.read_bytes() for path in (ROOT / "hooks").iterdir()} == dict.fromkeys(EVENTS, TEXT)
    assert all((ROOT / "hooks" / event).stat().st_mode & 0o111 == 0o111 for event in EVENTS)
    assert set(EVENTS) == set(staging.EVENTS)


def test_the_text_states_its_own_digest() -> None:
    assert f"text {digest(TEXT).decode()}.".encode() in TEXT, "write this digest into the text"


def test_what_is_shipped_is_the_text_of_this_release() -> None:
    assert shipped_text() == TEXT


AUTHORS = {
    "the text": (TEXT, Author.OURS),
    "the text with a tool": (filled(TEXT, "/opt/tools/prime-uve-hook"), Author.OURS),
    "the text with the line ends of Windows": (TEXT.replace(b"\n", b"\r\n"), Author.OURS),
    "the text before it had a digest": (EARLIER, Author.OURS),
    "the text with a line more": (TEXT + b"echo hello\n", Author.EDITED),
    "the text with a line less": (TEXT.replace(b"code=0\n", b"", 1), Author.EDITED),
    "the text with another digest": (TEXT.replace(digest(TEXT), b"0" * 12), Author.EDITED),
    "the earlier text with a line more": (EARLIER + b"echo hello\n", Author.EDITED),
    "somebody's script": (b"#!/bin/sh\nnpm test\n", Author.THEIRS),
    "somebody's script that calls us": (b"#!/bin/sh\nprime-uve-hook pre-commit\n", Author.THEIRS),
    "a program": (b"\x7fELF\0\xff", Author.THEIRS),
    "nothing": (b"", Author.THEIRS),
}


@pytest.mark.parametrize(("content", "who"), AUTHORS.values(), ids=AUTHORS)
def test_an_edited_text_is_told_from_that_of_a_release(content: bytes, who: Author) -> None:
    assert author(content) is who


TOOLS = {
    "/usr/bin/prime-uve-hook": b"recorded='/usr/bin/prime-uve-hook'\n",
    "/home/jo's/a b\\c": b"recorded='/home/jo'\\''s/a b\\c'\n",
    "/home/größe/\\1": "recorded='/home/größe/\\1'\n".encode(),
    "": b"recorded=''\n",
    "/home/caf\udce9": b"recorded=''\n",
    "/home/a\nb": b"recorded=''\n",
}


@pytest.mark.parametrize(("tool", "line"), TOOLS.items(), ids=ascii)
def test_a_tool_is_filled_in_if_the_shell_can_be_told(tool: str, line: bytes) -> None:
    text = filled(TEXT, tool)
    assert line in text
    assert text.replace(line, b"recorded=''\n") == TEXT
    assert filled(text, "") == TEXT


def test_a_wheel_without_its_hooks_says_how_to_get_them(tmp_path: Path, run: Run) -> None:
    package = Path(prime_uve.__file__).parent
    copy = tmp_path / "site-packages/prime_uve"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("_hooks", "__pycache__"))
    script = (
        f"import sys; sys.path.insert(0, {str(copy.parent)!r})\nfrom prime_uve.core.hooks.text import shipped_text\n"
    )
    done = run(sys.executable, "-c", f"{script}shipped_text()", cwd=tmp_path)
    assert (done.returncode, "uv tool install prime-uve" in done.stderr) == (1, True)
    assert str(copy) in done.stderr
