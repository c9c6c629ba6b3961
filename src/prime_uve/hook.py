"""``prime-uve-hook``: what Git hooks run, through pre-commit and prek or natively.

Hot: imports only what a bare interpreter has already loaded, as long as all is well.
"""

import os
import sys

from prime_uve.core import git
from prime_uve.core.commit import check_index, fix_index
from prime_uve.core.env_file import NAME, load, trusted_environment
from prime_uve.core.lookup import is_registered
from prime_uve.core.paths import portable
from prime_uve.errors import PrimeUveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = """usage: prime-uve-hook check [--fix]
       prime-uve-hook register

check     stop a commit whose .env.uve is wrong, or names another environment than the registry
          --fix: write ${HOME} where the file spells out a home
register  register the environment that .env.uve names; take over a change that came in through Git
"""


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run one hook in the working directory and return its exit code.

    Args:
        argv: the verb and its options, by default ``sys.argv[1:]``.

    Returns:
        0 the commit is good, or nothing of this machine may stop it; 1 it is not; 2 usage.
    """
    args = sys.argv[1:] if argv is None else list(argv)
    verb = args[0] if args else ""
    if verb in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    try:
        if verb == "check" and set(args[1:]) <= {"--fix"}:
            return check(os.getcwd(), fix="--fix" in args)
        if verb == "register" and not args[1:]:
            return register(os.getcwd())
    except PrimeUveError as error:
        print(f"prime-uve: {error}", file=sys.stderr)
        return error.exit_code
    print(USAGE, end="", file=sys.stderr)
    return 2


def check(folder: str, *, fix: bool = False) -> int:
    """Judge what is about to be committed in the checkout of `folder`; return 0 if it is good and 1 if it is not.

    With ``CI`` set the files alone are judged and nothing is written.

    Raises:
        ProjectError: `folder` is in no Git checkout, or Git failed.
    """
    checkout = git.find_checkout(folder)
    if checkout is None:
        raise git.no_checkout(folder)
    done = fix_index(checkout) if fix else []
    verdict = check_index(checkout, static=is_ci())
    for sentence in (*done, *verdict.notes, *verdict.problems):
        print(f"prime-uve: {sentence}", file=sys.stderr)
    return 1 if verdict.problems else 0


def is_ci() -> bool:
    """Whether this runs in continuous integration, where there is no registry worth writing to."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def register(folder: str) -> int:
    """Register what the env files of the checkout of `folder` name; return 0, whatever this machine's state is.

    A change of an existing mapping is taken over if Git brought it (merge, checkout, rewrite); a change that was
    committed here is left to the check.

    Raises:
        ProjectError: `folder` is in no Git checkout, or Git failed.
    """
    checkout = git.find_checkout(folder)
    if checkout is None:
        raise git.no_checkout(folder)
    if is_ci() or os.environ.get("PRE_COMMIT_CHECKOUT_TYPE") == "0":
        return 0
    for entry in git.index_entries(checkout, f"**/{NAME}"):
        sentence = _register(checkout, entry.path)
        if sentence:
            print(f"prime-uve: {sentence}", file=sys.stderr)
    return 0


def _register(checkout: str, path: str) -> str:
    """Register the project of the env file at `path`; return what a person should know."""
    root = os.path.realpath(os.path.dirname(os.path.join(checkout, path)))
    try:
        reading = load(root, os.environ)
        environment = trusted_environment(reading) if reading is not None else None
        if environment is None or is_registered(root, portable(environment)):
            return ""
        from pathlib import Path

        from prime_uve.core.cache import Cache
        from prime_uve.core.registration import register

        return register(Cache(), Path(root), environment, accept=_came_through_git(checkout, path)).message
    except PrimeUveError as error:
        return f"not registered: {error}"


def _came_through_git(checkout: str, path: str) -> bool:
    """Tell whether what lies at `path` was brought by Git, not edited or committed here.

    pre-commit and prek say which event it is in ``PRE_COMMIT_*``; an amended commit is a commit. A merge that was
    finished by hand is a commit, too: it brought what it has from its second parent.
    """
    rewritten_by = os.environ.get("PRE_COMMIT_REWRITE_COMMAND")
    events = ("PRE_COMMIT_CHECKOUT_TYPE", "PRE_COMMIT_IS_SQUASH_MERGE", "PRE_COMMIT_SQUASH_MERGE")
    is_event = rewritten_by not in (None, "amend") or any(name in os.environ for name in events)
    return git.is_unchanged(checkout, path, since="HEAD" if is_event else "HEAD^2")
