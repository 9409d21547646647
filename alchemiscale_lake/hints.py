"""Commands within messages: `--lake` is added where a command would otherwise use another lake.

A message names a command in backticks or, after a colon or at the start of a line, to the end of its line; without the
lake, which whoever shows the message knows.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

__all__ = ["COMMAND", "with_lake"]

#: A command that takes --lake: all do but `pools`.
COMMAND: Final = re.compile(r"(?:^ *|`|: )alchemiscale-lake (?!pools\b)[a-z][^`\n]*", re.MULTILINE)


def with_lake(text: str, lake: str, default: str = "./lake") -> str:
    """Add `--lake` to the commands in a message that lack it.

    Parameters
    ----------
    text : str
        The message.
    lake : str
        Folder or URL, as given by the user.
    default : str
        Lake of a command without `--lake`.

    Examples
    --------
    >>> with_lake("none; see `alchemiscale-lake status`", "s3://b/c")
    'none; see `alchemiscale-lake status --lake s3://b/c`'
    """
    if lake == default:
        return text
    option = f" --lake {shlex.quote(lake)}"
    return COMMAND.sub(lambda found: found[0] if "--lake" in found[0] else f"{found[0]}{option}", text)
