"""A small file that is replaced as a whole: in its place lies the old one or the new one, and never a part.

For files that can be made again; what must survive a power loss is written by `prime_uve.core.store`.
"""

import os
import stat


def replace(path: str, content: bytes, *, mode: int, always: int = 0) -> None:
    """Put a new file with `content` in the place of `path`; a link in its place is replaced, too.

    Args:
        path: in a folder that exists.
        content: all of it.
        mode: the permissions, less what the umask takes.
        always: those of them that the umask does not take.

    Raises:
        OSError: what was there is there, and nothing else.
    """
    beside = f"{path}.{os.urandom(8).hex()}.tmp"
    try:
        # Nobody may read in between what only its owner may read before and after.
        with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as stream:
            stream.write(content)
        if always:
            os.chmod(beside, stat.S_IMODE(os.stat(beside).st_mode) | always)
        os.replace(beside, path)
    finally:
        if os.path.lexists(beside):
            os.unlink(beside)
