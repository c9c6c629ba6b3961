"""``prime-uve check``: what the commit hook checks, by hand."""

import os

import click

from prime_uve.cli.options import json_option, path_argument
from prime_uve.cli.output import emit_json, say, warn
from prime_uve.core import git
from prime_uve.core.commit import Verdict, check_index, check_work_tree, fix_index, fix_work_tree
from prime_uve.core.env_file import NAME
from prime_uve.core.paths import quoted
from prime_uve.core.project import find_env_root, no_environment
from prime_uve.hook import is_ci


@click.command
@path_argument
@click.option("--fix", is_flag=True, help="Write ${HOME} where an env file spells out a home.")
@json_option
def command(path: str, *, fix: bool, as_json: bool) -> int:
    """Check what is about to be committed.

    That is every .env.uve in Git's index, and the one of the project at PATH (default: here).
    """
    verdict = _check(path, fix=fix)
    if as_json:
        emit_json({"ok": not verdict.problems, "problems": verdict.problems, "notes": verdict.notes})
    else:
        for sentence in (*verdict.notes, *verdict.problems):
            warn(sentence)
        if not verdict.problems:
            say(f"{NAME} is right" + ("" if verdict.notes or is_ci() else ", and the registry agrees"))
    return 1 if verdict.problems else 0


def _check(path: str, *, fix: bool) -> Verdict:
    checkout = git.find_checkout(path)
    root = find_env_root(path)
    indexed = [] if checkout is None else git.index_entries(checkout, f"**/{NAME}")
    if root is None and not indexed:
        raise no_environment(path, root)
    verdict = Verdict()
    if checkout is not None:
        verdict.notes += fix_index(checkout) if fix else []
        verdict.add(check_index(checkout, static=is_ci()))
    staged = {os.path.dirname(os.path.join(checkout or "", entry.path)): entry.path for entry in indexed}
    if root is not None and root not in staged:
        verdict.notes += fix_work_tree(root) if fix else []
        verdict.add(check_work_tree(root, static=is_ci()))
    elif root is not None and checkout is not None and not verdict.notes and not git.is_staged(checkout, staged[root]):
        path = os.path.join(root, NAME)
        # `git commit --all` puts the index back when a hook stops it, and what was judged is in the file alone.
        verdict.notes += fix_work_tree(root) if fix else []
        verdict.notes.append(f"judged is what is staged, and {path!r} is another; stage it: git add {quoted(path)}")
    return verdict
