"""Timing whole processes against each other: the runs of all commands alternate, so that a busy moment meets all."""

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WARM_UP = 3  # runs that do not count


@dataclass(frozen=True)
class Command:
    """What to run: `argv` with an absolute program, in `cwd`, under the variables `env` alone."""

    argv: Sequence[str | Path]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path


@dataclass(frozen=True)
class Times:
    """The seconds that each run of each command took."""

    seconds: Mapping[str, Sequence[float]]

    def milliseconds(self, name: str) -> float:
        """Return the median of a command."""
        return statistics.median(self.seconds[name]) * 1000

    def ratio(self, name: str, other: str) -> float:
        """Return how much longer a command takes than another: the median of the ratios of neighbouring runs."""
        return statistics.median(one / two for one, two in zip(self.seconds[name], self.seconds[other], strict=True))


def measure(commands: Mapping[str, Command], runs: int) -> Times:
    """Run each command so many times, in turns; any failure is an error."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(WARM_UP + runs):
        for name, command in commands.items():
            taken = run(command)
            if number >= WARM_UP:
                seconds[name].append(taken)
    return Times(seconds)


def run(command: Command) -> float:
    """Run a command once, and return the seconds that it took.

    Raises:
        RuntimeError: it failed.
    """
    argv = [os.fspath(word) for word in command.argv]
    silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    here = os.getcwd()
    os.chdir(command.cwd)
    try:
        begin = time.perf_counter()
        pid = os.posix_spawn(argv[0], argv, command.env, file_actions=silent)
        _, status = os.waitpid(pid, 0)
        taken = time.perf_counter() - begin
    finally:
        os.chdir(here)
    if status != 0:
        raise RuntimeError(f"exit status {os.waitstatus_to_exitcode(status)}: {argv}")
    return taken
