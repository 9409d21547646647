"""Notes as people read them: the sentence, without the code that programs read."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["without_codes"]

#: At the beginning, and after each semicolon that joins two.
_CODE: Final = re.compile(r"(^|; )(?:[a-z]+(?:-[a-z]+)+|disconnected): ")


def without_codes(note: str) -> str:
    """Return a stored note without its codes.

    >>> without_codes("failed-leg: solvent legs without a value were left out; missing-leg: no complex leg")
    'solvent legs without a value were left out; no complex leg'
    """
    return _CODE.sub(r"\1", note)
