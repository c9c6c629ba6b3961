"""What can go wrong in a way that we expect: the only exceptions that a boundary catches.

Every message says what is wrong, with the path, and then the command that mends it. Of an env file, which can hold
secrets, it shows the value of ``UV_PROJECT_ENVIRONMENT`` and nothing else.
"""

INTERRUPTED = 130  # the exit code of what Ctrl-C has ended


class PrimeUveError(Exception):
    """An expected failure. ``str()`` of it is one sentence for a person; ``exit_code`` is what a command returns."""

    exit_code: int = 2


class CacheError(PrimeUveError):
    """The registry cannot be read or written, or a path that it depends on cannot be determined."""


class ProjectError(PrimeUveError):
    """There is no project, or no usable Git checkout, where one is needed."""


class EnvFileError(PrimeUveError):
    """An env file cannot be used as it is.

    ``line`` is the 1-based line on which the offending statement begins and ``key`` the name that it sets, each
    ``None`` where the trouble is with the file as a whole.
    """

    def __init__(self, message: str, *, line: int | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.key = key


class UntrustedPathError(EnvFileError):
    """The environment that an env file names lies where a committed file may not point."""


class UvNotFoundError(PrimeUveError):
    """There is no ``uv`` to run."""


class RefusalError(PrimeUveError):
    """Nothing is done without another word from a person."""


class MismatchError(PrimeUveError):
    """File and registry disagree, or another checkout has the environment: a verdict."""

    exit_code = 1
