"""How much is injected: a part that CI has the time for, or, with ``PRIME_UVE_FAULTS=long``, everything.

What CI leaves out it leaves out by a seed, so that a failure can be had again: ``PRIME_UVE_FAULTS_SEED``.
"""

import os
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

IS_LONG = os.environ.get("PRIME_UVE_FAULTS") == "long"
SEED = os.environ.get("PRIME_UVE_FAULTS_SEED", "prime-uve")


def sample(name: str, population: Sequence[T], size: int) -> list[T]:
    """Return everything in a long run; else ``size`` of it, the same each time for one ``name``."""
    if IS_LONG or len(population) <= size:
        return list(population)
    chosen = random.Random(f"{SEED} {name}").sample(range(len(population)), size)  # noqa: S311  # no secret
    return [population[index] for index in sorted(chosen)]
