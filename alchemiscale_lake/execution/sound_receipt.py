"""Correction of a receipt before it is written, so that its text and rows satisfy the tables.

A Protocol may return anything: a negative uncertainty, text that is not UTF-8. Whatever it is, the attempt leaves a
receipt that can be recorded; one that had to be changed is a failed result with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from ..errors import ReceiptError
from ..schemas.kept_files import REFUSED_FILES, RESULT_FILES
from ..schemas.receipt import Receipt, pack_receipt, problems_of
from ..schemas.results import UNIT_RESULTS
from ..texts import LONG, SHORT, storable
from .exception_text import WHOLE

__all__ = ["pack_sound_receipt", "plain_path", "sound_receipt"]

_LONG_COLUMNS: Final = frozenset({"traceback", "packages_json"})
_NUMBERS: Final = ("estimate_kcal_mol", "uncertainty_kcal_mol")
#: Maximum length of a name in a file system.
_LONGEST_NAME_BYTES: Final = 200


def pack_sound_receipt(receipt: Receipt, secret: str | None) -> bytes:
    """Serialise a receipt as `pack_receipt` does, corrected if it cannot be recorded as it is.

    Parameters
    ----------
    receipt : Receipt
    secret : str or None
        Secret of its attempt.

    Raises
    ------
    ReceiptError
        If it is too large.
    """
    worded = _worded(receipt)
    try:
        return pack_receipt(worded, secret)
    except ReceiptError:
        return pack_receipt(_corrected(worded), secret)


def sound_receipt(receipt: Receipt) -> Receipt:
    """Return a receipt that can be recorded, as close as possible to the given one.

    If rows violate a rule of their table, the result is failed with the reason and without numbers, and units and
    files that cannot be stored are left out; the stored object is kept.
    """
    return _corrected(_worded(receipt))


def _worded(receipt: Receipt) -> Receipt:
    return Receipt(
        _with_text(receipt.result),
        [_with_text(unit) for unit in receipt.units],
        list(receipt.files),
        _with_text(receipt.host),
        receipt.replicates,
        [_with_text(file) for file in receipt.refused],
    )


def _corrected(receipt: Receipt) -> Receipt:
    problems = receipt.problems()
    if not problems:
        return receipt
    said = f"SchemaError: the result does not match the tables' schemas: {'; '.join(problems)}"
    given = {name: receipt.result.get(name) for name in _NUMBERS}
    if any(value is not None for value in given.values()):
        said += f" ({', '.join(f'{name} = {value!r}' for name, value in given.items())})"
    failed = {**receipt.result, **dict.fromkeys(_NUMBERS), "ok": False, "exception": storable(said)}
    if receipt.result.get("ok"):
        failed["failed_unit"] = "gather"
    return Receipt(
        failed,
        [unit for unit in receipt.units if not problems_of(UNIT_RESULTS, [unit])],
        [file for file in receipt.files if not problems_of(RESULT_FILES, [file])],
        receipt.host,
        refused=[file for file in receipt.refused if not problems_of(REFUSED_FILES, [file])],
    )


def plain_path(path: str) -> str:
    """Return a relative path without deceptive characters and without names that are too long.

    Unprintable characters, backslashes and bytes that are not UTF-8 become `%XX`; a long name is truncated, and a
    digest replaces the rest.
    """
    parts = []
    for name in PurePosixPath(path).parts:
        plain = "".join(c if c.isprintable() and c != "\\" else _escaped(c) for c in name)
        if len(plain.encode()) > _LONGEST_NAME_BYTES:
            head = plain.encode()[: _LONGEST_NAME_BYTES // 2].decode(errors="ignore")
            plain = f"{head}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
        parts.append(plain)
    return "/".join(parts)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


def _with_text(row: Mapping[str, Any]) -> dict[str, Any]:
    def text(name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return storable(value, LONG if name in _LONG_COLUMNS else SHORT, whole=WHOLE if name == "traceback" else None)

    return {name: text(name, value) for name, value in row.items()}
