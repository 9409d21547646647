"""The receipt: what one attempt leaves behind, as a small Arrow file.

It holds the rows that the attempt adds to `results`, `unit_results`, `result_files` and `hosts`.
A worker writes it once, last, under an exclusive name; whoever records it appends its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ..errors import ReceiptError
from .results import HOSTS, RESULT_FILES, RESULTS, UNIT_RESULTS

__all__ = ["Receipt", "pack_receipt", "unpack_receipt"]

_BY_RECORDER = frozenset({"recorded_at"})


def _struct(schema: Any) -> pa.DataType:
    return pa.struct([pa.field(c.name, c.type) for c in schema.columns if c.name not in _BY_RECORDER])


_SCHEMA = pa.schema(
    [
        pa.field("result", _struct(RESULTS)),
        pa.field("units", pa.list_(_struct(UNIT_RESULTS))),
        pa.field("files", pa.list_(_struct(RESULT_FILES))),
        pa.field("host", _struct(HOSTS)),
    ]
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Rows of one attempt: one of `results` (without `recorded_at`), its units, files and host."""

    result: Mapping[str, Any]
    units: Sequence[Mapping[str, Any]]
    files: Sequence[Mapping[str, Any]]
    host: Mapping[str, Any]

    @property
    def attempt(self) -> str:
        """Id of the attempt."""
        return str(self.result["attempt"])


def pack_receipt(receipt: Receipt) -> bytes:
    """Serialise a receipt.

    Raises
    ------
    ReceiptError
        If a value does not fit its column.
    """
    row = {
        "result": dict(receipt.result),
        "units": [dict(u) for u in receipt.units],
        "files": [dict(f) for f in receipt.files],
        "host": dict(receipt.host),
    }
    try:
        table = pa.Table.from_pylist([row], schema=_SCHEMA)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as e:
        raise ReceiptError(f"receipt of attempt {receipt.attempt} does not fit its columns: {e}") from e
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, _SCHEMA) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def unpack_receipt(data: bytes) -> Receipt:
    """Read a receipt.

    Raises
    ------
    ReceiptError
        If the bytes are not a whole receipt.
    """
    try:
        rows = pa.ipc.open_file(pa.BufferReader(data)).read_all().to_pylist()
    except (pa.ArrowInvalid, OSError) as e:
        raise ReceiptError(f"not a receipt, or a cut one ({len(data)} bytes): {e}") from e
    if len(rows) != 1 or set(rows[0]) != set(_SCHEMA.names):
        raise ReceiptError(f"a receipt holds one row with {_SCHEMA.names}, this has {len(rows)} row(s)")
    return Receipt(**rows[0])
