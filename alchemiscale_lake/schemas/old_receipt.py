"""Receipts of earlier versions: a bare Arrow file, without length, digest or signature.

Attempts assigned before an upgrade may still leave one. A flipped bit in an Arrow file can crash the process that
reads it, so it is read in a separate process.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from ..errors import ReceiptError
from .receipt import Receipt, read_payload

__all__ = ["is_old_receipt", "read_old_receipt"]

_MAGIC: Final = b"ARROW1"
_READER: Final = ("-P", str(Path(__file__).with_name("_arrow_to_json.py")))
_PATIENCE_S: Final = 120.0
_LONGEST_REASON: Final = 500


def is_old_receipt(data: bytes) -> bool:
    """Return whether data looks like a receipt of an earlier version."""
    return data.startswith(_MAGIC)


def read_old_receipt(data: bytes) -> Receipt:
    """Read a receipt of an earlier version.

    Raises
    ------
    ReceiptError
        If it is incomplete, or violates the columns or rules of the tables.
    """
    command = [sys.executable, *_READER]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as e:
        raise ReceiptError(f"it is of an earlier version and could not be read within {_PATIENCE_S:g} s") from e
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][-_LONGEST_REASON:]
        raise ReceiptError(
            f"it is of an earlier version and damaged: {said or f'its reader ended with {done.returncode}'}"
        )
    return read_payload(done.stdout)
