"""What a person or a program sees: sentences, tables, JSON documents. The only user of rich."""

import json
import sys
from collections.abc import Iterable, Sequence


def say(sentence: str) -> None:
    """Print a line on stdout."""
    print(printable(sentence))


def warn(sentence: str) -> None:
    """Print a line on stderr."""
    print(f"prime-uve: {printable(sentence)}", file=sys.stderr)


def emit_json(document: object) -> None:
    """Print `document` as the one JSON document on stdout, ASCII only, so that every file name comes through."""
    print(json.dumps(document, indent=2))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of cells under their columns: fitted to a terminal, tab-separated elsewhere."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in (columns, *cells):
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in cells:
        drawn.add_row(*map(Text, row))
    Console().print(drawn)


def printable(text: str) -> str:
    """Return `text` with whatever could garble a terminal or a line, or cannot be encoded, as backslash escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
