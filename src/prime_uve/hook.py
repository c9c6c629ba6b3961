"""``prime-uve-hook``: what Git hooks run, through pre-commit and prek or natively.

Hot: imports only what a bare interpreter has already loaded, as long as all is well.
"""

import os
import sys

from prime_uve.core import git
from prime_uve.core.paths import ENV_NAME, portable, working_directory
from prime_uve.errors import INTERRUPTED, PrimeUveError
from prime_uve.stderr import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE = """usage: prime-uve-hook check [--fix]
       prime-uve-hook register
       prime-uve-hook EVENT [ARGS...]

check     stop a commit whose .env.uve is wrong, or names another environment than the registry
          --fix: write ${HOME} where the file spells out a home
register  register the environment that .env.uve names; take over a change that came in through Git
EVENT     what Git calls the hook, with what Git gives it: pre-commit and pre-merge-commit check,
          post-checkout, post-merge, post-rewrite and post-commit register
"""

CHECKING_EVENTS = ("pre-commit", "pre-merge-commit")
REGISTERING_EVENTS = ("post-checkout", "post-merge", "post-rewrite", "post-commit")
FILE_CHECKOUT = "0"  # the flag that Git gives post-checkout where it restored files and changed no branch


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run one hook in the working directory and return its exit code.

    Args:
        argv: the verb and its options, or a Git event and what Git gives it; by default ``sys.argv[1:]``.

    Returns:
        0 the commit is good, or nothing of this machine may stop it; 1 it is not; 2 usage; 130 interrupted.
    """
    args = sys.argv[1:] if argv is None else list(argv)
    if args[:1] in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    try:
        return _run(args, working_directory())
    except PrimeUveError as error:
        tell(f"prime-uve: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        tell("prime-uve: interrupted")
        return INTERRUPTED


def program() -> None:
    """Run `main` and end the process, without the tidying up of an interpreter, for which every hook would wait."""
    code = main()
    if sys.stdout is not None:
        sys.stdout.flush()
    os._exit(code)


def _run(args: "Sequence[str]", folder: str) -> int:
    match args:
        case ["check", *options] if set(options) <= {"--fix"}:
            return check(folder, fix=bool(options))
        case ["register"]:
            return register(folder, *event_of_framework(os.environ))
        case [event, *_] if event in CHECKING_EVENTS:
            return check(folder)
        case [event, *given] if event in REGISTERING_EVENTS:
            return register(folder, event, *given)
        case _:
            tell(USAGE.rstrip())
            return 2


def check(folder: str, *, fix: bool = False) -> int:
    """Judge what is about to be committed in the checkout of `folder`; return 0 if it is good and 1 if it is not.

    With ``CI`` set the files alone are judged and nothing is written.

    Raises:
        ProjectError: `folder` is in no Git checkout, or Git failed.
    """
    from prime_uve.core.commit import check_index, fix_index

    checkout = _checkout(folder)
    if checkout is None:
        return 0
    done = fix_index(checkout) if fix else []
    verdict = check_index(checkout, static=is_ci())
    for sentence in (*done, *verdict.notes, *verdict.problems):
        tell(f"prime-uve: {sentence}")
    return 1 if verdict.problems else 0


def _checkout(folder: str) -> str | None:
    """Return the checkout of `folder`; ``None`` where Git runs a hook for a repository without a work tree."""
    checkout = git.find_checkout(folder)
    if checkout is None and "GIT_DIR" not in os.environ:
        raise git.no_checkout(folder)
    return checkout


def is_ci() -> bool:
    """Whether this runs in continuous integration, where there is no registry worth writing to."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def event_of_framework(environ: "Mapping[str, str]") -> tuple[str, str]:
    """Return the event that pre-commit or prek runs a hook for, and what Git gave it, as far as they tell."""
    for variable, event in (
        ("PRE_COMMIT_CHECKOUT_TYPE", "post-checkout"),
        ("PRE_COMMIT_IS_SQUASH_MERGE", "post-merge"),
        ("PRE_COMMIT_SQUASH_MERGE", "post-merge"),
        ("PRE_COMMIT_REWRITE_COMMAND", "post-rewrite"),
    ):
        if variable in environ:
            return event, environ[variable]
    stage = environ.get("PREK_HOOK_STAGE")  # all that prek tells about a merge
    return stage if stage in REGISTERING_EVENTS else "post-commit", ""


def register(folder: str, event: str, *args: str) -> int:
    """Register what the env files of the checkout of `folder` name; return 0, whatever this machine's state is.

    A change of an existing mapping is taken over if Git brought it (merge, checkout, rewrite); a change that was
    committed here is left to the check.

    Args:
        folder: the working directory.
        event: what Git calls the hook, ``post-checkout`` say.
        args: what Git gives it; of these the last counts: the kind of checkout, the command that rewrote.

    Raises:
        ProjectError: `folder` is in no Git checkout, or Git failed.
    """
    if is_ci() or (event == "post-checkout" and args[-1:] == (FILE_CHECKOUT,)):
        return 0
    checkout = _checkout(folder)
    # A rebase begins by a checkout of what it goes onto, which it leaves again if it is given up.
    if checkout is None or (event == "post-checkout" and git.is_rewriting(checkout)):
        return 0
    # An amended commit is a commit made here. A merge that was finished by hand is a commit, too: it brought what it
    # has from its second parent.
    is_commit = event == "post-commit" or (event == "post-rewrite" and args[:1] == ("amend",))
    for entry in git.index_entries(checkout, f"**/{ENV_NAME}"):
        sentence = _register(checkout, entry.path, since="HEAD^2" if is_commit else "HEAD")
        if sentence:
            tell(f"prime-uve: {sentence}")
    return 0


def _register(checkout: str, path: str, *, since: str) -> str:
    """Register the project of the env file at `path`; return what a person should know.

    The change of a mapping is taken over if the file in the work tree is the one of the revision `since`: what Git
    brought, and not an edit that was carried along.
    """
    # Most repositories have nothing of ours, and their hooks need not wait for this.
    from prime_uve.core.env_file import load, reading_environ, trusted_environment
    from prime_uve.core.lookup import is_registered

    root = os.path.realpath(os.path.dirname(os.path.join(checkout, path)))
    try:
        reading = load(root, reading_environ())
        environment = trusted_environment(reading) if reading is not None else None
        if environment is None or is_registered(root, portable(environment)):
            return ""
        from pathlib import Path

        from prime_uve.core.cache import Cache
        from prime_uve.core.registration import register

        is_brought = git.is_unchanged(checkout, path, since=since)
        return register(Cache(), Path(root), environment, accept=is_brought).message
    except PrimeUveError as error:
        return f"not registered: {error}"
