"""Escaping of foreign text for a terminal: names, exceptions and paths may contain control sequences.

Escape sequences move the cursor, rename the window or paste into the shell; directional marks change how a text reads.
They are shown as escapes, as in Python.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["one_line", "printable"]

#: Control characters except tab and newline, directional marks, line and paragraph separators, lone surrogates.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_BREAKS: Final = re.compile(r"[\t\n]")


def printable(text: str) -> str:
    """Return the text with everything escaped that a terminal would interpret; line breaks are kept."""
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_escape, text)


def one_line(text: str) -> str:
    """Like `printable`, but in one line: newlines and tabs are escaped as well."""
    return _BREAKS.sub(_escape, printable(text))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in "\t\n\r":
        return {"\t": "\\t", "\n": "\\n", "\r": "\\r"}[character]
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
