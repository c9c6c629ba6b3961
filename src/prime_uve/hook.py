"""``prime-uve-hook``: what Git hooks run, through pre-commit and prek or natively.

Hot: imports only what a bare interpreter has already loaded, as long as all is well.
"""

import os
import sys

from prime_uve.core import change, git
from prime_uve.core.change import Change
from prime_uve.core.paths import working_directory
from prime_uve.errors import INTERRUPTED, PrimeUveError
from prime_uve.stderr import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE = """usage: prime-uve-hook check [--fix]
       prime-uve-hook register
       prime-uve-hook sync [EVENT [ARGS...]]
       prime-uve-hook EVENT [ARGS...]

check     stop a commit whose .env.uve is wrong, or names another environment than the registry
          --fix: write ${HOME} where the file spells out a home
register  register the environment that .env.uve names; take over a change that came in through Git
sync      register, then run uv sync where Git changed uv.lock, pyproject.toml or an env file
EVENT     what Git calls the hook, with what Git gives it: pre-commit and pre-merge-commit check,
          post-checkout, post-merge, post-rewrite and post-commit register
"""

CHECKING_EVENTS = ("pre-commit", "pre-merge-commit")


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
        case [event, *_] if event in CHECKING_EVENTS:
            return check(folder)
        case ["register"] | ["sync"]:
            made = change_of_framework(os.environ)
        case ["sync", event, *words] | [event, *words] if event in change.EVENTS:
            made = Change(event, words)
        case _:
            tell(USAGE.rstrip())
            return 2
    return sync(folder, made) if args[0] == "sync" else register(folder, made)


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


def _changed_checkout(folder: str, made: Change) -> str | None:
    """Return the checkout of `folder`; ``None`` where a change is nothing to act upon."""
    return None if is_ci() or made.is_of_files else _checkout(folder)


def is_ci() -> bool:
    """Whether this runs in continuous integration, where there is no registry worth writing to."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def change_of_framework(environ: "Mapping[str, str]") -> Change:
    """Return what pre-commit or prek runs a hook for, as far as they tell."""
    if "PRE_COMMIT_CHECKOUT_TYPE" in environ:
        refs = (environ.get("PRE_COMMIT_FROM_REF", ""), environ.get("PRE_COMMIT_TO_REF", ""))
        return Change("post-checkout", (*refs, environ["PRE_COMMIT_CHECKOUT_TYPE"]))
    for variable, event in (
        ("PRE_COMMIT_IS_SQUASH_MERGE", "post-merge"),
        ("PRE_COMMIT_SQUASH_MERGE", "post-merge"),
        ("PRE_COMMIT_REWRITE_COMMAND", "post-rewrite"),
    ):
        if variable in environ:
            return Change(event, (environ[variable],))
    stage = environ.get("PREK_HOOK_STAGE", "")  # all that prek tells about a merge
    return Change(stage if stage in change.EVENTS else "post-commit", ())


def register(folder: str, made: Change) -> int:
    """Register what the env files of the checkout of `folder` name; return 0, whatever this machine's state is.

    See `prime_uve.core.arrival.register_all`. With ``CI`` set, and for a checkout of single files, nothing is done.

    Raises:
        ProjectError: `folder` is in no Git checkout, or Git failed.
    """
    checkout = _changed_checkout(folder, made)
    if checkout is not None:
        from prime_uve.core.arrival import register_all

        for sentence in register_all(checkout, made):
            tell(f"prime-uve: {sentence}")
    return 0


def sync(folder: str, made: Change) -> int:
    """Register, then run ``uv sync`` for each project whose lock, manifest or env file Git has changed; return 0.

    A sync that fails has told why; the checkout is what it is.

    Raises:
        ProjectError: `folder` is in no Git checkout, or Git failed.
    """
    register(folder, made)
    checkout = _changed_checkout(folder, made)
    if checkout is not None:
        from prime_uve.sync import sync_changed

        for sentence in sync_changed(checkout, made):
            tell(f"prime-uve: {sentence}")
    return 0
