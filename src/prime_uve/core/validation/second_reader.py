"""python-dotenv is how editors, direnv and compose read an env file: does it take the same from it as uv?"""

import io
import re
from collections.abc import Mapping

from dotenv.parser import parse_stream

from prime_uve.core import env_file
from prime_uve.core.paths import quoted
from prime_uve.core.validation.presence import same_place
from prime_uve.errors import EnvFileError

REFERENCE = re.compile(r"\$\{(\w+)\}|\$([A-Za-z0-9]+)")


def refuse_ambiguity(reading: env_file.Reading, environ: Mapping[str, str]) -> None:
    """Refuse a file from which editors, direnv and compose (python-dotenv) would take another environment than uv.

    Args:
        reading: what uv takes from it.
        environ: the variables that it was read under.

    Raises:
        EnvFileError: they differ.
    """
    if reading.environment is None:
        return
    text = reading.content.decode("utf-8-sig")
    # Not by dotenv_values(), which logs what it does not understand: that would land on the stderr of a commit.
    raw = {line.key: line.value for line in parse_stream(io.StringIO(text))}.get(env_file.KEY) or ""
    values = {**environ, **reading.variables}
    meant = REFERENCE.sub(lambda match: values.get(match[1] or match[2], ""), raw)
    if not same_place(meant, reading.environment):
        raise EnvFileError(
            f"{reading.source!r} is ambiguous: uv takes {reading.environment!r} from it, and python-dotenv "
            f"another place; write one plain line: prime-uve init --force {quoted(reading.root)}",
            key=env_file.KEY,
        )
