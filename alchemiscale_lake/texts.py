"""Foreign text prepared for a table: valid UTF-8, without NUL, of limited length.

Exceptions, tracebacks, names and reasons come from Protocols, engines and workers, and may be anything. Every row with
such text passes it through `storable`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["LONG", "SHORT", "escaped", "storable"]

#: Maximum length of names and reasons, and of exceptions and tracebacks, in characters.
SHORT: Final = 2_000
LONG: Final = 32_000


def storable(text: str, limit: int = SHORT, *, whole: str | None = None) -> str:
    """Return a text that any table accepts: its head and tail if it is too long.

    Lone surrogates are written as escapes, NUL characters as U+FFFD. A storable text is returned unchanged.

    Parameters
    ----------
    text : str
    limit : int
        Maximum length, in characters.
    whole : str, optional
        Location of the full text, mentioned in the note that replaces the middle.
    """
    text = escaped(text)
    if len(text) > limit:
        note = f"\n[... {{}} characters omitted{'' if whole is None else f'; the whole text is {whole}'} ...]\n"
        kept = max(limit - len(note) - 16, 0)
        head, tail = text[: kept - kept // 2], text[len(text) - kept // 2 :]
        text = head + note.format(len(text) - len(head) - len(tail)) + tail
    return text


def escaped(text: str) -> str:
    """Return a text of any length that UTF-8 can encode, without NUL: escapes are longer than what they replace."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
