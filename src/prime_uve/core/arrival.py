"""What Git has brought into a checkout: its projects are registered, and a new checkout gets its own environments.

Hot: imports only what a bare interpreter has already loaded, as long as there is nothing to register.
"""

import os

from prime_uve.core import git
from prime_uve.core.paths import ENV_NAME, portable, quoted
from prime_uve.errors import PrimeUveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from prime_uve.core.change import Change
    from prime_uve.core.env_file import Reading


def register_all(checkout: str, change: "Change") -> list[str]:
    """Register what the env files of `checkout` name, and return what a person should know, a sentence each.

    The change of a mapping is taken over where Git brought it; one that was committed here is left to the check. In a
    new checkout, a project whose environment belongs to another living checkout gets its own. While a rebase writes its
    commits nothing is registered.

    Raises:
        ProjectError: Git is not there, or failed.
    """
    sentences = [_register(checkout, entry.path, change) for entry in git.index_entries(checkout, f"**/{ENV_NAME}")]
    return [sentence for sentence in sentences if sentence]


def _register(checkout: str, path: str, change: "Change") -> str:
    # Most repositories have nothing of ours, and their hooks need not wait for this.
    from prime_uve.core.env_file import trusted_reading
    from prime_uve.core.lookup import is_registered

    root = os.path.realpath(os.path.dirname(os.path.join(checkout, path)))
    try:
        found = trusted_reading(root)
        if found is None or is_registered(root, portable(found[1])):
            return ""
        if change.event != "post-rewrite" and git.is_rewriting(checkout):
            return ""  # it may be given up; the hook that ends it sees what has come of it
        if change.is_first:
            _register_in_main_worktree(checkout, path)
        return _settle(*found, change, is_brought=change.has_brought(checkout, path))
    except PrimeUveError as error:
        return f"not registered: {error}"


def _register_in_main_worktree(checkout: str, path: str) -> None:
    """Let the worktree that `checkout` was added to keep the environment, even if it was never registered."""
    main = git.main_worktree(checkout)
    if main is None:
        return
    from pathlib import Path

    from prime_uve.core.cache import Cache
    from prime_uve.core.env_file import trusted_reading
    from prime_uve.core.registration import register

    root = os.path.realpath(os.path.dirname(os.path.join(main, path)))
    try:
        found = trusted_reading(root)
        if found is not None:
            register(Cache(), Path(root), found[1])
    except PrimeUveError:
        return  # what is wrong there is told there


def _settle(reading: "Reading", environment: str, change: "Change", *, is_brought: bool) -> str:
    from pathlib import Path

    from prime_uve.core.cache import Cache
    from prime_uve.core.initialization import carry_out, plan
    from prime_uve.core.registration import Outcome, register

    cache, root = Cache(), reading.root
    registration = register(cache, Path(root), environment, accept=is_brought)
    # The user's own word stands, even where it names what another checkout has.
    if registration.outcome is not Outcome.SHARED or reading.is_local or not change.is_first:
        is_told = registration.outcome is Outcome.SHARED and change.event == "post-commit"  # by the check before it
        return "" if is_told else registration.message
    made = plan(cache, root)
    carry_out(cache, made)
    return f"{'; '.join(made.notes)}; make it: uve sync --project {quoted(root)}"
