"""The receipt: the outcome of one attempt as table rows in JSON.

It holds the rows that the attempt adds to `results`, `replicates`, `unit_results`, `result_files`, `refused_files` and
`hosts`. A worker writes it once, last, under an exclusive name; the recorder appends its rows. It is JSON because the
recorder does not trust the writer: no native code parses its bytes. Its envelope is in `envelope`, the format of
earlier versions in `old_receipt`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import pyarrow as pa

from ..errors import ReceiptError, SchemaError
from ._base import BOOL, FLOAT, INT, STRING, TIME, Column, TableSchema
from .envelope import open_envelope, seal
from .kept_files import REFUSED_FILES, RESULT_FILES
from .results import HOSTS, REPLICATES, RESULTS, UNIT_RESULTS

__all__ = [
    "Receipt",
    "misfit",
    "pack_receipt",
    "parse_payload",
    "problems_of",
    "problems_of_all",
    "read_payload",
    "unpack_receipt",
]

#: Columns of `results` that no worker states.
_BY_RECORDER: Final = frozenset({"recorded_at", "origin_attempt"})
_ANY_TIME: Final = datetime(2025, 1, 1, tzinfo=UTC)
#: Range of times that every library here can handle.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Rows of one attempt: one of `results` (without `recorded_at`), its units, files, host and replicates.

    Attributes
    ----------
    result : mapping of str to object
        One row of `results`, without `recorded_at`.
    units : sequence of mapping of str to object
        Rows of `unit_results`.
    files : sequence of mapping of str to object
        Rows of `result_files`.
    host : mapping of str to object
        Row of `hosts`.
    replicates : sequence of mapping of str to object, default []
        Rows of `replicates`; empty if the Protocol reported none.
    refused : sequence of mapping of str to object, default ()
        Rows of `refused_files`.
    """

    result: Mapping[str, Any]
    units: Sequence[Mapping[str, Any]]
    files: Sequence[Mapping[str, Any]]
    host: Mapping[str, Any]
    replicates: Sequence[Mapping[str, Any]] = ()
    refused: Sequence[Mapping[str, Any]] = field(default_factory=list)

    @property
    def attempt(self) -> str:
        """Return the id of the attempt."""
        return str(self.result["attempt"])

    def problems(self) -> list[str]:
        """Return violations of the columns or rules of the tables; empty for a valid receipt."""
        return _problems([self])


def problems_of_all(receipts: Sequence[Receipt]) -> list[list[str]]:
    """Return the violations of each receipt; checking the rows of all together takes about as long as those of one.

    Parameters
    ----------
    receipts : sequence of Receipt
    """
    if not _problems(receipts):
        return [[] for _ in receipts]
    return [receipt.problems() for receipt in receipts]


def _problems(receipts: Sequence[Receipt]) -> list[str]:
    parts = (
        (RESULTS, [{**receipt.result, "recorded_at": _ANY_TIME} for receipt in receipts]),
        (REPLICATES, [row for receipt in receipts for row in receipt.replicates]),
        (UNIT_RESULTS, [row for receipt in receipts for row in receipt.units]),
        (RESULT_FILES, [row for receipt in receipts for row in receipt.files]),
        (REFUSED_FILES, [row for receipt in receipts for row in receipt.refused]),
        (HOSTS, _unknown_hosts(receipts)),
    )
    found = {schema.name: problems_of(schema, rows) for schema, rows in parts if rows}
    if not found.get(HOSTS.name):
        _remember_hosts(parts[-1][1])
    return [problem for problems in found.values() for problem in problems]


#: Hosts that fit the table: many receipts have the same.
_fitting_hosts: set[str] = set()
_MOST_HOSTS: Final = 1_000


def _unknown_hosts(receipts: Sequence[Receipt]) -> Sequence[Mapping[str, Any]]:
    """Return each different host that was not found to fit the table before."""
    hosts = {_host_key(receipt.host): receipt.host for receipt in receipts}
    return [host for key, host in hosts.items() if key not in _fitting_hosts]


def _remember_hosts(hosts: Sequence[Mapping[str, Any]]) -> None:
    if len(_fitting_hosts) > _MOST_HOSTS:
        _fitting_hosts.clear()
    _fitting_hosts.update(map(_host_key, hosts))


def _host_key(host: Mapping[str, Any]) -> str:
    return repr(sorted(host.items()))


def problems_of(schema: TableSchema, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return violations of the columns or rules of a table, including numbers that are not finite.

    Parameters
    ----------
    schema : TableSchema
        Table that the rows belong to.
    rows : sequence of mapping of str to object
        Rows by column name.
    """
    floats = [c.name for c in schema.columns if c.type == FLOAT]
    infinite = {(n, v) for row in rows for n in floats if isinstance(v := row.get(n), float) and not math.isfinite(v)}
    if infinite:
        return [f"column '{name}' is {value}" for name, value in sorted(infinite, key=str)]
    if schema.fits(rows):
        return []
    try:
        schema.table(rows)
    except SchemaError as e:
        return list(e.facts.get("problems", [e.message]))
    except (TypeError, ValueError, OverflowError) as e:  # for example text that is not UTF-8
        return [f"a value does not fit table '{schema.name}': {e}"]
    return []


def pack_receipt(receipt: Receipt, secret: str | None) -> bytes:
    """Serialise a receipt, signed with the secret of its attempt.

    Parameters
    ----------
    receipt : Receipt
    secret : str or None
        None leaves it unsigned, for a worker that received no secret.

    Raises
    ------
    ReceiptError
        If it violates the columns or rules of the tables, or is too large.
    """
    parts = {
        "result": _plain(RESULTS, receipt.result),
        "units": [_plain(UNIT_RESULTS, unit) for unit in receipt.units],
        "files": [_plain(RESULT_FILES, file) for file in receipt.files],
        "host": _plain(HOSTS, receipt.host),
        "replicates": [_plain(REPLICATES, replicate) for replicate in receipt.replicates],
        "refused": [_plain(REFUSED_FILES, file) for file in receipt.refused],
    }
    try:
        payload = json.dumps(parts, separators=(",", ":")).encode()
        # the recorder will read it by these rules
        read_payload(payload)
    except (TypeError, ReceiptError) as e:
        raise ReceiptError(f"the receipt of attempt {receipt.attempt} cannot be written: {e}") from e
    return seal(payload, secret)


def unpack_receipt(data: bytes) -> Receipt:
    """Read a receipt without verifying its signature.

    Raises
    ------
    ReceiptError
        If it is incomplete, malformed, or violates the columns or rules of the tables.
    """
    return read_payload(open_envelope(data).payload)


def read_payload(payload: bytes) -> Receipt:
    """Read the payload of a receipt.

    Raises
    ------
    ReceiptError
        If it is not JSON, malformed, or violates the columns or rules of the tables.
    """
    receipt = parse_payload(payload)
    if problems := receipt.problems():
        raise misfit(problems)
    return receipt


def misfit(problems: Sequence[str]) -> ReceiptError:
    """Return the error of a receipt that violates the columns or rules of the tables."""
    return ReceiptError(f"it does not fit the tables: {'; '.join(problems)}", problems=list(problems))


def parse_payload(payload: bytes) -> Receipt:
    """Read the payload of a receipt without checking the rules of the tables.

    Raises
    ------
    ReceiptError
        If it is not JSON, or a value is not of its column's type.
    """
    try:
        said = json.loads(payload, parse_constant=_refuse)
    except (ValueError, RecursionError) as e:
        raise ReceiptError(f"it is not JSON: {e}") from e
    if not isinstance(said, dict) or not isinstance(said.get("units"), list) or not isinstance(said.get("files"), list):
        raise ReceiptError("it has no lists of units and files")
    # workers of earlier versions leave none
    replicates, refused = said.get("replicates", []), said.get("refused", [])
    if not isinstance(replicates, list) or not isinstance(refused, list):
        raise ReceiptError("its replicates or refused files are not a list")
    return Receipt(
        result=_row(RESULTS, said.get("result")),
        units=[_row(UNIT_RESULTS, unit) for unit in said["units"]],
        files=[_row(RESULT_FILES, file) for file in said["files"]],
        host=_row(HOSTS, said.get("host")),
        replicates=[_row(REPLICATES, replicate) for replicate in replicates],
        refused=[_row(REFUSED_FILES, file) for file in refused],
    )


def _plain(schema: TableSchema, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        c.name: _in_utc(value).isoformat() if isinstance(value, datetime) else value
        for c in schema.columns
        if c.name not in _BY_RECORDER and (value := row.get(c.name)) is not None
    }


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _row(schema: TableSchema, said: Any) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise ReceiptError(f"its row for table '{schema.name}' is a {type(said).__name__}")
    # a newer worker may add columns
    columns = (c for c in schema.columns if c.name not in _BY_RECORDER)
    return {c.name: _value(schema, c, said.get(c.name)) for c in columns}


def _value(schema: TableSchema, column: Column, said: Any) -> Any:
    if said is None:
        return None
    try:
        return _READ[column.type](said)
    except (TypeError, ValueError, OverflowError) as e:
        raise ReceiptError(f"its column '{column.name}' of table '{schema.name}' is bad: {e}") from e


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _text(said: Any) -> str:
    if not isinstance(said, str):
        raise TypeError(f"{type(said).__name__} instead of text")
    said.encode()
    if "\0" in said:
        raise ValueError("text with a NUL character")
    return said


def _integer(said: Any) -> int:
    if not isinstance(said, int) or isinstance(said, bool):
        raise TypeError(f"{type(said).__name__} instead of a whole number")
    if not -(2**63) <= said < 2**63:
        raise ValueError("a whole number of more than 64 bits")
    return said


def _float(said: Any) -> float:
    if not isinstance(said, (int, float)) or isinstance(said, bool):
        raise TypeError(f"{type(said).__name__} instead of a number")
    if not math.isfinite(value := float(said)):
        raise ValueError(f"{value} is not finite")
    return value


def _bool(said: Any) -> bool:
    if not isinstance(said, bool):
        raise TypeError(f"{type(said).__name__} instead of true or false")
    return said


def _time(said: Any) -> datetime:
    value = datetime.fromisoformat(_text(said))
    if value.tzinfo is None or not _EARLIEST <= value <= _LATEST:
        raise ValueError(f"{said!r} is not a time in UTC that can be")
    return value.astimezone(UTC)


_READ: Final[Mapping[pa.DataType, Callable[[Any], Any]]] = {
    STRING: _text,
    INT: _integer,
    FLOAT: _float,
    BOOL: _bool,
    TIME: _time,
}
