"""What of uv's command line decides which project and which environment is meant.

Hot: imports only what a bare interpreter has already loaded.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# What works on the account, not on a project: a project's file has no say in it.
ACCOUNT = frozenset(("auth", "cache", "init", "self", "tool"))
# What touches no project, and so runs without an env file.
PROJECTLESS = ACCOUNT | {"help", "python"}

# The variables by which the system's loader puts code into any program.
LOADER_PREFIXES = ("LD_", "DYLD_")
# The variables by which `uv pip` is told another place than the environment.
OTHER_PYTHONS = frozenset(("UV_BREAK_SYSTEM_PACKAGES", "UV_PYTHON", "UV_SYSTEM_PYTHON"))
# The options that do the same.
OTHER_PLACES = frozenset(("--system", "--python", "-p", "--target", "-t", "--prefix"))

# The options of uv 0.13 that take a value as the next word, before a command, before the program of `uv run`, and
# before the path of `uv venv`.
VALUE_OPTIONS = frozenset(
    """
    --allow-insecure-host --build-constraints --cache-dir --color --config-file --config-setting
    --config-settings-package --constraints --default-index --directory --env-file --exclude-newer
    --exclude-newer-package --extra --extra-index-url --find-links --fork-strategy --from --group --index
    --index-strategy --index-url --keyring-provider --link-mode --no-binary-package --no-build-isolation-package
    --no-build-package --no-editable-package --no-extra --no-group --no-sources-package --only-group --overrides
    --package --prerelease --prerelease-package --project --prompt --python --python-platform --refresh-package
    --reinstall-package --resolution --torch-backend --upgrade-group --upgrade-package --with --with-editable
    --with-requirements -C -P -b -c -f -i -p -w
    """.split()  # noqa: SIM905  # the list would take sixty lines
)

SECOND = 2


class CommandLine:
    """uv's arguments, as far as they say which project is meant.

    `command` is the first word that is no option and `subcommand` the second, `options` maps each option to its value
    (the empty string where it has none). What follows the program that ``uv run`` or ``uv tool run`` starts belongs to
    that program.
    """

    __slots__ = ("command", "options", "subcommand")

    def __init__(self, args: "Sequence[str]") -> None:
        self.command = ""
        self.subcommand = ""
        self.options: dict[str, str] = {}
        waiting = ""  # the option whose value is the next word; an option is nobody's value
        words = 0
        for argument in args:
            if argument == "--":
                break
            if argument.startswith("-") and argument != "-":
                option, _, value = argument.partition("=")
                self.options[option] = value
                is_clear = argument == "-c" and self.command == "venv"
                waiting = option if _takes_next_word(argument) and not is_clear else ""
                continue
            if waiting:
                self.options[waiting] = argument
                waiting = ""
                continue
            words += 1
            if words == 1:
                self.command = argument
            elif words == SECOND:
                self.subcommand = argument
            if words > {"run": 1, "tool": 2}.get(self.command, words):
                break

    @property
    def needs_project(self) -> bool:
        """Whether uv would look for a project: no mere question for help or version, no command without one."""
        return bool(self.command) and not self._asks and self.command not in PROJECTLESS

    @property
    def needs_environment(self) -> bool:
        """Whether uv would take any other environment where this one does not exist, and say nothing."""
        is_elsewhere = not OTHER_PLACES.isdisjoint(self.options)
        return self.command == "pip" and self.subcommand not in ("", "compile") and not self._asks and not is_elsewhere

    @property
    def makes_default_environment(self) -> bool:
        """Whether uv is to make an environment, and is not told where."""
        return self.command == "venv" and not self.subcommand and not self._asks and "--no-project" not in self.options

    def takes(self, name: str) -> bool:
        """Tell whether uv is given the variable `name` of a project's env file for this command.

        Where uv works on a project, it runs the project's code anyway. Where it does not, a file that came with the
        project is not to put code into it, nor to say what is installed for the account, and from where.
        """
        if self.needs_project:
            return self.command != "pip" or name not in OTHER_PYTHONS
        return self.command != "python" and not name.startswith(LOADER_PREFIXES)

    @property
    def _asks(self) -> bool:
        return "--help" in self.options or "-h" in self.options


def _takes_next_word(option: str) -> bool:
    """Whether the value of an option is the word after it; of short ones in one word (``-qp 3.13``) the last can."""
    if option.startswith("--"):
        return option in VALUE_OPTIONS
    with_value = [place for place, letter in enumerate(option) if f"-{letter}" in VALUE_OPTIONS]
    return with_value[:1] == [len(option) - 1]
