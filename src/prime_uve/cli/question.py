"""A question to a person, where there is one."""

import sys

import click

from prime_uve.errors import RefusalError


def is_confirmed(question: str, *, otherwise: str) -> bool:
    """Ask, with no for the default, and return the answer.

    Args:
        question: ends with a question mark.
        otherwise: what is said where there is nobody to ask: what would be done, and how it is done without a question.

    Raises:
        RefusalError: there is nobody to ask.
    """
    if sys.stdin is None or not sys.stdin.isatty():  # None: it was closed
        raise RefusalError(otherwise)
    return click.confirm(question, default=False, err=True)
