"""The text of a native Git hook: where it is shipped, how it is filled in, and how it is recognised.

It states a digest of itself, so that the text of any release is told from one that somebody has edited.
"""

import os
import re
from enum import StrEnum
from hashlib import sha256
from importlib import resources
from pathlib import Path

import prime_uve
from prime_uve.core.paths import quoted
from prime_uve.errors import ProjectError

EVENTS = ("pre-commit", "pre-merge-commit", "post-checkout", "post-merge", "post-rewrite", "post-commit")
DIGITS = 12
_STATED = re.compile(rb"^(# A native Git hook of prime-uve, text )([0-9a-f]{%d})(?=\.)" % DIGITS, re.MULTILINE)
_RECORDED = re.compile(rb"^recorded=.*$", re.MULTILINE)
_SIGNATURE = b"# A native Git hook of prime-uve"
# Of the text before it had a digest, which people copied into their hooks.
_EARLIER = frozenset(("99ac97e46f6bf9f0a1cb27a822319ef7073f65a3548206b7e0bba862753f3d0e",))


class Author(StrEnum):
    """Who wrote a hook: we, we and then somebody else, somebody else."""

    OURS = "ours"
    EDITED = "edited"
    THEIRS = "theirs"


def shipped_text() -> bytes:
    """Return the text as it is in the wheel, or in the checkout of an editable installation.

    Raises:
        ProjectError: it is in neither.
    """
    shipped = Path(str(resources.files(prime_uve))) / "_hooks"
    for folder in (shipped, Path(prime_uve.__file__).parents[2] / "hooks"):
        path = folder / EVENTS[0]
        try:
            return path.read_bytes().replace(b"\r\n", b"\n")
        except OSError:
            continue
    raise ProjectError(
        f"the hooks of prime-uve are not in {str(shipped)!r}; install it anew: uv tool install prime-uve"
    )


def filled(text: bytes, tool: str) -> bytes:
    """Return the hook `text` that tries the program `tool` first; an empty `tool` is none.

    A path that cannot stand in a portable shell script is left out: what is on PATH will be found.
    """
    word = quoted(tool.replace(os.sep, "/"))
    recorded = os.fsencode(word if word.startswith("'") else "''")
    return _RECORDED.sub(lambda _match: b"recorded=" + recorded, text, count=1)


def author(content: bytes) -> Author:
    """Tell who wrote the hook that holds `content`."""
    text = content.replace(b"\r\n", b"\n")
    stated = _STATED.search(text)
    if stated is not None and stated[2] == digest(text):
        return Author.OURS
    if sha256(text).hexdigest() in _EARLIER:
        return Author.OURS
    return Author.EDITED if _SIGNATURE in text else Author.THEIRS


def digest(text: bytes) -> bytes:
    """Return the digest that a hook `text` has to state, which does not depend on the tool that is filled in."""
    plain = _STATED.sub(rb"\1", _RECORDED.sub(b"recorded=", text, count=1), count=1)
    return sha256(plain).hexdigest()[:DIGITS].encode()
