"""What a person or a program sees: nothing garbles it, and what cannot be said is an error."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from prime_uve.cli import output
from tests import commands
from tests.commands import Run
from tests.terminal import converse


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("'a' \"b\" \\ größe \U0001f600", "'a' \"b\" \\ größe \U0001f600", id="text"),
        pytest.param("a\nb\tc\rd\0", "a\\nb\\tc\\rd\\x00", id="white space"),
        pytest.param("\x1b[2J\x07\x7f\x9b", "\\x1b[2J\\x07\\x7f\\x9b", id="what a terminal obeys"),
        pytest.param("\udcff\ud800", "\\udcff\\ud800", id="surrogates"),
        pytest.param("\u202e\u2028\ufeff", "\\u202e\\u2028\\ufeff", id="what cannot be seen"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_could_garble_a_line_is_escaped(capsys: pytest.CaptureFixture[str], text: str, shown: str) -> None:
    assert output.printable(text) == shown
    output.say(text)
    output.warn(text)
    output.table(["A", "B"], [[text, "x"]])
    said = capsys.readouterr()
    assert said.out == f"{shown}\nA\tB\n{shown}\tx\n"
    assert said.err == f"prime-uve: {shown}\n"


def test_what_standard_output_cannot_encode_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    output.say("größe λ")
    output.table(["A"], [["λ"]])
    output.emit_json({"größe": "\udcff"})
    assert raw.getvalue().startswith(b"gr\\xf6\\xdfe \\u03bb\nA\n\\u03bb\n{")


def test_a_document_is_ascii_and_comes_back_whole(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"größe": ["\udcff", None, True, {"\n": "\x1b"}]}
    output.emit_json(document)
    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said) == document


def test_a_table_in_a_pipe_has_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["A", "B"], [["1", "2 2"], ["", "x\ty"]])
    assert capsys.readouterr().out == "A\tB\n1\t2 2\n\tx\\ty\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is full")
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["in words", "as json"])
def test_a_full_disk_is_a_sentence(run: Run, options: list[str]) -> None:
    script = 'exec "$0" list "$@" > /dev/full'
    done = run("/bin/sh", "-c", script, commands.SCRIPTS / "prime-uve", *options, cwd=commands.SCRIPTS)
    assert done.returncode == 2
    assert done.stderr == "prime-uve: cannot write to standard output: No space left on device; see where it goes\n"


def test_a_reader_that_has_seen_enough_is_told_nothing() -> None:
    with subprocess.Popen(
        [commands.SCRIPTS / "prime-uve", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@pytest.mark.parametrize(("is_shown", "is_seen"), [("True", True), ("False", False)], ids=["wanted", "not wanted"])
def test_progress_is_shown_on_a_terminal_where_it_is_wanted(tmp_path: Path, is_shown: str, *, is_seen: bool) -> None:
    script = (
        "from prime_uve.cli.output import progress\n"
        f"with progress('looking', is_shown={is_shown}) as tell:\n"
        "    tell('two\\nlines')\n"
    )
    code, said = converse("python", "-c", script, cwd=tmp_path)
    assert code == 0, said
    assert ("looking" in said and "two\\nlines" in said) == is_seen
    assert bool(said) == is_seen


def test_standard_output_may_be_closed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        output.say("a")
        output.table(["A"], [["a"]])
        output.emit_json({})
        output.warn("but not standard error")
    assert capsys.readouterr() == ("", "prime-uve: but not standard error\n")
