"""What Git has just done to a checkout, as it tells the hook that it calls.

Hot: imports only what a bare interpreter has already loaded.
"""

from prime_uve.core import git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

EVENTS = ("post-checkout", "post-merge", "post-rewrite", "post-commit")
FILES_ONLY = "0"  # the flag of post-checkout where files were restored and no branch was changed
SQUASHED = "1"  # the flag of post-merge where the changes are there and the merge is still to be committed


class Change:
    """An `event` of Git's, and the words that Git gives its hook; as few of them as a framework hands on."""

    __slots__ = ("event", "words")

    def __init__(self, event: str, words: "Sequence[str]") -> None:
        self.event = event
        self.words = tuple(words)

    @property
    def is_of_files(self) -> bool:
        """Whether files were restored, and the branch is the one that it was."""
        return self.event == "post-checkout" and self.words[-1:] == (FILES_ONLY,)

    @property
    def is_first(self) -> bool:
        """Whether this is the first checkout in its folder, as ``git clone`` and ``git worktree add`` make it."""
        old = self.words[0] if self.event == "post-checkout" and self.words else ""
        return bool(old) and not old.strip("0")

    @property
    def _is_squash(self) -> bool:
        return self.event == "post-merge" and self.words[:1] == (SQUASHED,)

    @property
    def _is_own_commit(self) -> bool:
        """Whether it is a commit made here, amended ones included."""
        return self.event == "post-commit" or (self.event == "post-rewrite" and self.words[:1] == ("amend",))

    def has_brought(self, checkout: str, path: str) -> bool:
        """Tell whether the file at `path` is what Git brought, and no edit that was carried along or committed here.

        Raises:
            ProjectError: Git is not there, or failed.
        """
        # A merge that was finished by hand is a commit: it brought what it has from its second parent.
        is_own = self._is_own_commit and not git.is_brought_in_silence(checkout, path)
        sources = ("HEAD^2" if is_own else "HEAD", git.squashed_revision(checkout) if self._is_squash else None)
        return any(git.is_unchanged(checkout, path, since=source) for source in sources if source)

    def paths(self, checkout: str, *patterns: str) -> list[str]:
        """Return the files of the checkout that match one of the glob `patterns` and are not what they were before.

        Raises:
            ProjectError: Git is not there, or failed.
        """
        if self.is_first:
            return [entry.path for entry in git.index_entries(checkout, *patterns)]
        if self._is_squash:
            return git.changed_paths(checkout, "HEAD", None, *patterns)
        if self.event == "post-checkout" and len(self.words) > 1:
            return git.changed_paths(checkout, self.words[0], self.words[1], *patterns)
        return git.changed_paths(checkout, "HEAD@{1}" if self._is_own_commit else "ORIG_HEAD", "HEAD", *patterns)
