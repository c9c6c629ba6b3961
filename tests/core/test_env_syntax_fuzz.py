"""The real uv is asked what it makes of env files: of the table's rows and of generated ones.

``PRIME_UVE_FUZZ_FILES`` is the number of generated files, another ``PRIME_UVE_FUZZ_SEED`` gives other ones. uv takes
``--env-file`` many times: a reference never sees what another file sets, and of two files that set one name the last
counts. So the files of one process have names of their own, and few in common.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
import uv as uv_package

from prime_uve.core.env_file import KEY
from prime_uve.core.env_syntax import parse, with_value
from prime_uve.errors import EnvFileError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="env -0, and variables that are not UTF-8, are POSIX")

CASES = json.loads((Path(__file__).parent / "data" / "env_file_cases.json").read_bytes())
FILES = int(os.environ.get("PRIME_UVE_FUZZ_FILES", "2000"))
TOGETHER = 40  # files for one uv process
SEED = os.environ.get("PRIME_UVE_FUZZ_SEED", "0")


class Answer(NamedTuple):
    """What uv did: the variables that it added (``None``: it ran nothing), and the files that it warned of."""

    added: dict[str, str] | None
    warned: frozenset[str] = frozenset()


class Uv:
    """The real uv, with nothing of the caller's environment and nothing outside one temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.own = {
            "PATH": str(folder),
            "UV_CACHE_DIR": str(folder / "cache"),
            "UV_PYTHON_INSTALL_DIR": str(folder / "python"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
        }
        options = ["--no-project", "--no-config", "--offline", "--no-python-downloads", "--python", sys.executable]
        self.command = [uv_package.find_uv_bin(), "run", *options]

    def read(self, files: dict[str, bytes], env: dict[str, str]) -> Answer:
        """Let uv read these files, by name, all in one process."""
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
        run = subprocess.run(
            [*self.command, *(f"--env-file={name}" for name in files), "--", "/usr/bin/env", "-0"],
            cwd=self.folder,
            env=self.own | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )
        for name in files:
            (self.folder / name).unlink()
        if run.returncode:
            assert run.returncode == 2, run.stderr
            assert b"Failed to read environment file" in run.stderr or b"nul byte" in run.stderr, run.stderr
            return Answer(None)
        items = os.fsdecode(run.stdout).split("\0")
        got = dict(item.partition("=")[::2] for item in items if item)
        ours = {*self.own, "UV", "UV_RUN_RECURSION_DEPTH", "VIRTUAL_ENV"}
        added = {name: value for name, value in got.items() if name not in ours and env.get(name) != value}
        warned = {name for name in files if b"Failed to parse environment file `%b`" % name.encode() in run.stderr}
        assert bool(warned) == bool(run.stderr), run.stderr
        return Answer(added, frozenset(warned))


@pytest.fixture(scope="module")
def uv(tmp_path_factory: pytest.TempPathFactory) -> Uv:
    return Uv(tmp_path_factory.mktemp("uv"))


def expected_of_uv(files: dict[str, bytes], env: dict[str, str]) -> Answer:
    """Return what uv does if our reading is right: where we refuse, it sets what stands above that line, and warns."""
    added: dict[str, str] = {}
    warned = set()
    for name, content in files.items():
        usable = content
        while True:
            try:
                added |= parse(usable, env)
                break
            except EnvFileError as error:
                warned.add(name)
                usable = b"".join(line + b"\n" for line in usable.split(b"\n")[: (error.line or 0) - 1])
    return Answer(added, frozenset(warned))


def differences(uv: Uv, files: dict[str, bytes], env: dict[str, str]) -> list[str]:
    """Return in what ``parse()`` and uv differ, file by file where they differ in all of them together."""
    answer, expected = uv.read(files, env), expected_of_uv(files, env)
    if answer == expected or (expected.warned and answer.added is None and len(files) == 1):
        return []
    if len(files) > 1:
        alone = [found for name, content in files.items() for found in differences(uv, {name: content}, env)]
        return alone or [f"only together: {files!r} with {env!r}: uv {answer!r}, parse {expected!r}"]
    return [f"{files!r} with {env!r}: uv {answer!r}, parse {expected!r}"]


def all_differences(ask: Callable[[int], list[str]], cases: Iterable[int]) -> list[str]:
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return [found for several in pool.map(ask, cases) for found in several]


# Each `@` becomes the number of the file.
SPACE = [" ", " ", " ", "  ", "\t", " \t ", "\u00a0", "\u3000", "\v", "\x1c", "\x85", "\r"]
KEYS = ["A@", "A@", "B@", "C@", "D.E@", "_x@", "MY_VAR@", "export", "E1@", "HOME", KEY]
ODD_KEYS = ["É", "1A", "A-B", ".A", "A B", "", "exportA", "export A B", "'A'", "A@\u00a0", "#A", "${A}"]
MILD = ["x", "yz", "/", "é日", "x#y", "=", "~", "`", ";", "}", "{", "%X%", "'a b'", '"a b"', "'#'", '" # "', "''", '""']
REFERENCES = [
    "${A@}",
    "${HOME}",
    "$A@",
    "$HOME/",
    "$MY_VAR",
    "${NOPE}",
    "${A@:-d}",
    "$E1@,",
    "$E2@$E3@.",
    "$é@.",
    "${é@}",
]
ESCAPES = [
    r"\n",
    r"\\",
    r"\'",
    r"\"",
    r"\$",
    r"\ ",
    "'\\n'",
    "'\\\\'",
    '"\\""',
    "'$A@'",
    '"${A@}"',
    '"a\nb"',
    "'c\r\nd'",
]
BROKEN = ["'", '"', "\\", "$", "${", "$(", r"\t", r"\u", "\\\n"]
STRAY = [" ", "\t", " #", "  #", "#", "\n", "\r", "\x1f", "\u00a0", "\0", "—"]
COMMENTS = [" # c", "\t# c", "  # c", " #", " # it's", "  # it's", ' # "q', "   #${", " \t # 'a' \\"]
ENVIRONMENT = {"A@": "env", "B@": "\udcff", "E1@": "", "E2@": "x ${HOME} 'y'", "E3@": "\udce9", "é@": "e"}


def statement(random: Random, wildness: float) -> str:
    def maybe(chance: float, choices: list[str]) -> str:
        return random.choice(choices) if random.random() < chance else ""

    if random.random() < 0.1:
        return maybe(0.5, SPACE) + random.choice(["", "# c", "#it's", '#"', " # 'x\\"])
    pieces = [*MILD, *REFERENCES, *ESCAPES]
    value = [
        random.choice(BROKEN + STRAY if random.random() < wildness else pieces) for _ in range(random.randrange(6))
    ]
    quote = maybe(0.15, ["'", '"'])
    return "".join((
        maybe(0.1, SPACE),
        maybe(0.1, ["export ", "export\t", "export  ", "export\u00a0"]),
        random.choice(ODD_KEYS if random.random() < wildness / 3 else KEYS),
        maybe(0.1, SPACE),
        "=" if random.random() > wildness / 6 else "",
        maybe(0.1, SPACE),
        quote,
        *value,
        quote,
        maybe(0.2, COMMENTS),
        maybe(0.1, SPACE),
    ))  # fmt: skip


def random_for(number: int) -> Random:
    return Random(f"{SEED} {number}")  # noqa: S311 (nothing secret)


def generated(number: int) -> tuple[bytes, dict[str, str]]:
    """Return an env file and an environment, the same ones for the same seed and number."""
    random = random_for(number)
    wildness = random.choice([0, 0.02, 0.1, 0.4])
    line_end = random.choice(["\n", "\n", "\r\n"])
    text = line_end.join(statement(random, wildness) for _ in range(random.randrange(1, 7)))
    content = (text + random.choice([*[line_end] * 8, "", "\n", "\r", " "])).replace("@", str(number)).encode()
    if random.random() < wildness / 8:
        place = random.randrange(len(content) + 1)
        content = content[:place] + random.choice([b"\xe9", b"\xff", b"\xed\xa0\x80", b"\xc0\x80"]) + content[place:]
    env = {name.replace("@", str(number)): value for name, value in ENVIRONMENT.items() if random.random() < 0.4}
    return content.removeprefix(b"\xef\xbb\xbf"), env


def is_fatal(content: bytes) -> bool:
    """Whether uv may give up at this file, so that it needs a process of its own."""
    try:
        return "\0" in content.decode()
    except UnicodeDecodeError:
        return True


def test_uv_gives_what_the_table_says(uv: Uv) -> None:
    def ask(number: int) -> list[str]:
        case = CASES[number]
        answer = uv.read({f"row-{number}": os.fsencode(case["content"])}, case["env"])
        refused = answer.added is None or bool(answer.warned)
        agreed = refused if case["adds"] is None else answer == Answer(case["adds"])
        return [] if agreed else [f"{case['id']}: {answer!r}"]

    assert all_differences(ask, range(len(CASES))) == []


def test_uv_and_parse_read_generated_files_alike(uv: Uv) -> None:
    def ask(first: int) -> list[str]:
        files: dict[str, bytes] = {}
        env = {"HOME": "/home/u"} if first % 3 else {}
        alone = []
        for number in range(first, min(first + TOGETHER, FILES)):
            content, variables = generated(number)
            if is_fatal(content):
                alone += differences(uv, {str(number): content}, variables)
            else:
                files[str(number)] = content
                env |= variables
        return alone + differences(uv, files, env)

    found = all_differences(ask, range(0, FILES, TOGETHER))

    assert not found, f"{len(found)} of {FILES} files (seed {SEED}), the first ones:\n" + "\n".join(found[:5])


def test_uv_reads_back_every_value_that_was_written(uv: Uv) -> None:
    def ask(first: int) -> list[str]:
        files: dict[str, bytes] = {}
        values: dict[str, str] = {}
        for number in range(first, first + TOGETHER):
            random = random_for(number)
            key = f"{KEY}_{number}"
            value = "".join(random.choices(["${HOME}", "/", "a b", "é", "#", "'", '"', "\\", "~", "=", " ", "$x"], k=6))
            try:
                files[f"value-{number}"] = with_value(b"A%d=1 # it is\nB=2" % number, key, value)
            except EnvFileError:
                continue
            values |= {f"A{number}": "1", "B": "2", key: value.replace("${HOME}", "/h")}
        answer = uv.read(files, {"HOME": "/h"})
        return [] if answer == Answer(values) else [f"{files!r}: {answer!r}"]

    assert all_differences(ask, range(0, FILES // 5, TOGETHER)) == []
