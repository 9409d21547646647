"""Foreign text made safe to print: names, exceptions and paths may hold what commands a terminal.

Escape sequences move the cursor, rename the window or paste into the shell; marks of direction make a
text read other than it is. They are shown as escapes, as Python writes them.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["one_line", "printable"]

#: Controls but for tab and newline, marks of direction, line and paragraph separators, half characters.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_BREAKS: Final = re.compile(r"[\t\n]")


def printable(text: str) -> str:
    """Return the text with everything escaped that a terminal would obey; lines stay lines."""
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_escape, text)


def one_line(text: str) -> str:
    """Return the text as `printable` does, in one line: newlines and tabs are escaped as well."""
    return _BREAKS.sub(_escape, printable(text))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in "\t\n\r":
        return {"\t": "\\t", "\n": "\\n", "\r": "\\r"}[character]
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
