"""What a person or a program sees: sentences, tables, JSON documents. The only user of rich."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from prime_uve.errors import PrimeUveError
from prime_uve.stderr import tell


class OutputError(PrimeUveError):
    """What a command has to say cannot be written."""


def say(sentence: str) -> None:
    """Print a line on stdout."""
    _print(printable(sentence))


def warn(sentence: str) -> None:
    """Print a line on stderr."""
    tell(f"prime-uve: {printable(sentence)}")


def emit_json(document: object) -> None:
    """Print `document` as the one JSON document on stdout, ASCII only, so that every file name comes through."""
    if isinstance(document, list) and document:
        # A row a line, and by the encoder that is quick.
        _print("[\n  " + ",\n  ".join(map(json.dumps, document)) + "\n]")
    else:
        _print(json.dumps(document, indent=2))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of cells under their columns: fitted to a terminal, tab-separated elsewhere."""
    if not is_terminal():
        _print(_tabbed([columns, *rows]))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*[Text(printable(cell)) for cell in row])
    Console().print(drawn)


def is_terminal() -> bool:
    """Tell whether a person sees what is printed on stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


@contextmanager
def progress(doing: str, *, is_shown: bool) -> Iterator[Callable[[str], None]]:
    """Give a function that tells a person what is being worked on: a bar on stderr, if that is a terminal."""
    if not is_shown or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _item: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[item]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None, item="")
        yield lambda item: bar.update(task, advance=1, item=printable(item))


def _print(text: str) -> None:
    """Print `text` on stdout, at once: what another program prints there later comes later.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise  # the reader has seen enough; click ends the program without a word
    except OSError as error:
        sys.stdout = None  # or Python would try again at the end, and complain
        raise OutputError(f"cannot write to standard output: {error.strerror}; see where it goes") from error


def _tabbed(rows: Sequence[Sequence[str]]) -> str:
    text = "\n".join(map("\t".join, rows))
    # Nearly always there is nothing to escape, and that is told of all at once.
    blank, lines = text.count("\t"), text.count("\n")
    is_aligned = blank == sum(map(len, rows)) - len(rows) and lines == len(rows) - 1
    if is_aligned and text.isascii() and text.translate({9: None, 10: None}).isprintable():
        return text
    return "\n".join("\t".join(map(printable, row)) for row in rows)


def printable(text: str) -> str:
    """Return `text` with whatever could garble a terminal or a line, or cannot be encoded, as backslash escapes."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
