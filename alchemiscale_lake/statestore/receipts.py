"""Receipts in the folders of attempts, and their validation.

A receipt counts only for its own attempt: it must be complete and signed, with the Task, Transformation and Scope of
the claim, units and files of the same attempt, and every object in the attempt's folder. An invalid receipt is moved
to `receipt.bad`, with the reason beside it, and a failed result replaces it: its own Task ends in `error`, and restart
patterns apply as to any failure. Other attempts are not affected. Recording is in `results`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from ..errors import NotFoundError, ObjectTooLargeError, ReceiptError
from ..execution.assignment import AttemptSpec
from ..execution.lost_attempt import lost_receipt
from ..execution.receipt import UNFINISHED
from ..faults import fault_point
from ..schemas.envelope import LARGEST_RECEIPT_BYTES, open_envelope
from ..schemas.old_receipt import is_old_receipt, read_old_receipt
from ..schemas.receipt import Receipt, misfit, pack_receipt, parse_payload, problems_of_all
from ..store import Lake, attempt_folder, collect, is_content_path, now_utc
from ..store.parallel_requests import at_once
from ..texts import storable

__all__ = ["find_receipts", "find_unfinished", "leave_failure"]

_log = logging.getLogger(__name__)
_RECEIPT: Final = "receipt.arrow"
_ASIDE: Final = "receipt.bad"
_PATHS: Final = ("object_path", "stdout_path", "stderr_path", "log_path")


@dataclass(frozen=True, slots=True)
class _Claimed:
    """An attempt as claimed; `seq` is that of its claim, or of a later renewal."""

    task: str
    transformation: str
    scope: str
    pool: str
    seq: int


@dataclass(frozen=True, slots=True)
class _Found:
    """Content at the path of an attempt's receipt: bytes, or the error that prevented reading them."""

    attempt: str
    scope: str
    data: bytes | ObjectTooLargeError
    claim: _Claimed | None

    @property
    def folder(self) -> str:
        return attempt_folder(self.scope, self.attempt)


def find_receipts(lake: Lake, attempts: Mapping[str, str]) -> list[Receipt]:
    """Read the receipts that attempts (attempt -> Scope) have left so far.

    An invalid receipt is replaced by a failed one with the reason.

    Parameters
    ----------
    lake : Lake
    attempts : mapping of str to str
        Scope by identifier of the attempt.

    Raises
    ------
    SigningKeyError
        If the signing key cannot be read.
    StorageError
        If the lake does not answer.
    """
    found = _checked(lake, attempts, _RECEIPT)
    receipts = at_once(lambda p: p[1] if isinstance(p[1], Receipt) else _set_aside(lake, p[0], str(p[1])), found)
    return [receipt for receipt in receipts if receipt is not None]


def find_unfinished(lake: Lake, attempts: Mapping[str, str]) -> list[Receipt]:
    """Read what attempts (attempt -> Scope) without a result left about themselves; what is invalid is ignored.

    Parameters
    ----------
    lake : Lake
    attempts : mapping of str to str
        Scope by identifier of the attempt.

    Raises
    ------
    SigningKeyError
        If the signing key cannot be read.
    StorageError
        If the lake does not answer.
    """
    found = _checked(lake, attempts, UNFINISHED)
    for one, said in found:
        if isinstance(said, ReceiptError):
            _log.warning("%s/%s is ignored: %s", one.folder, UNFINISHED, storable(str(said)))
    return [said for _, said in found if isinstance(said, Receipt)]


def leave_failure(lake: Lake, spec: AttemptSpec, pool: str, exception: str) -> Receipt:
    """Write a failed receipt for an attempt without one; if one has appeared by now, that counts.

    Parameters
    ----------
    lake : Lake
    spec : AttemptSpec
        The attempt.
    pool : str
        Name of the pool.
    exception : str
        Type and message, as stored in the result.
    """
    receipt = lost_receipt(spec, pool, exception, now_utc())
    data = pack_receipt(receipt, lake.receipt_key.secret_of(spec.attempt))
    if lake.objects.put_exclusive(f"{attempt_folder(spec.scope, spec.attempt)}/{_RECEIPT}", data):
        return receipt
    found = find_receipts(lake, {spec.attempt: spec.scope})
    return found[0] if found else receipt


def _checked(lake: Lake, attempts: Mapping[str, str], name: str) -> list[tuple[_Found, Receipt | ReceiptError]]:
    """Read the receipts of this name that attempts (attempt -> Scope) have left, or what is wrong with them."""
    read = at_once(lambda named: _read(lake, *named, name), attempts.items())
    left = {attempt: data for attempt, data in zip(attempts, read, strict=True) if data is not None}
    if not left:
        return []
    claimed = _claimed(lake, left, attempts)
    found = [_Found(attempt, attempts[attempt], data, claimed.get(attempt)) for attempt, data in left.items()]

    def checked(pair: tuple[_Found, Receipt | ReceiptError]) -> tuple[_Found, Receipt | ReceiptError]:
        one, said = pair
        if isinstance(said, Receipt):
            try:
                _check_whose(lake, said, one)
            except ReceiptError as e:
                return one, e
        return one, said

    return at_once(checked, zip(found, _fitting(lake, found), strict=True))


def _read(lake: Lake, attempt: str, scope: str, name: str) -> bytes | ObjectTooLargeError | None:
    try:
        return lake.objects.get(f"{attempt_folder(scope, attempt)}/{name}", limit=LARGEST_RECEIPT_BYTES)
    except NotFoundError:
        return None
    except ObjectTooLargeError as e:
        return e


def _claimed(
    lake: Lake, left: Mapping[str, bytes | ObjectTooLargeError], scopes: Mapping[str, str]
) -> dict[str, _Claimed]:
    """Return the claims of attempts: from the states if they still hold their Tasks, else from the log."""
    columns = ["attempt", "task", "transformation", "scope", "pool", "seq"]
    tasks = lake.task_log.states().tasks
    held = tasks.filter(pl.col("attempt").is_in(list(left))).select(columns)
    found = {attempt: _Claimed(*rest) for attempt, *rest in held.iter_rows()}
    # whether an unsigned receipt is allowed depends on the time of the claim, which a renewal hides
    sought = [attempt for attempt, data in left.items() if attempt not in found or not _is_signed(lake, attempt, data)]
    if sought:
        log = lake.table("task_log").scan().filter(pl.col("scope").is_in({scopes[attempt] for attempt in sought}))
        log = log.filter((pl.col("event") == "claimed") & pl.col("attempt").is_in(sought))
        rows = collect(log.select(columns), "claims of attempts")
        found |= {attempt: _Claimed(*rest) for attempt, *rest in rows.iter_rows()}
    return found


def _is_signed(lake: Lake, attempt: str, data: bytes | ObjectTooLargeError) -> bool:
    if not isinstance(data, bytes):
        return False
    try:
        return open_envelope(data).is_signed_with(lake.receipt_key.secret_of(attempt))
    except ReceiptError:
        return False


def _fitting(lake: Lake, found: Sequence[_Found]) -> list[Receipt | ReceiptError]:
    """Return each receipt, or why it was not written by its worker or does not fit the tables."""
    said: list[Receipt | ReceiptError] = []
    for one in found:
        try:
            said.append(_authentic(lake, one))
        except ReceiptError as e:
            said.append(e)
    problems = iter(problems_of_all([one for one in said if isinstance(one, Receipt)]))
    return [misfit(bad) if isinstance(one, Receipt) and (bad := next(problems)) else one for one in said]


def _authentic(lake: Lake, found: _Found) -> Receipt:
    """Return the receipt of an attempt if its worker wrote it.

    Raises
    ------
    ReceiptError
        If it is unreadable or not signed.
    """
    data, claim = found.data, found.claim
    if not isinstance(data, bytes):
        raise ReceiptError(data.message)
    before_the_key = claim is not None and claim.seq <= lake.receipt_key.since_seq
    if not is_old_receipt(data):
        payload = open_envelope(data).payload
        if not before_the_key and not _is_signed(lake, found.attempt, data):
            raise ReceiptError("it was not signed by the worker that the attempt was assigned to")
        return parse_payload(payload)
    if before_the_key:
        return read_old_receipt(data)
    raise ReceiptError(
        "it is of an earlier version and has no signature; upgrade alchemiscale-lake where Tasks are computed, too"
    )


def _check_whose(lake: Lake, receipt: Receipt, found: _Found) -> None:
    """Check that a receipt refers only to its own attempt.

    Raises
    ------
    ReceiptError
    """
    result, claim = receipt.result, found.claim
    expected = {"attempt": found.attempt, "scope": found.scope}
    if claim is not None:
        expected |= {"task": claim.task, "transformation": claim.transformation}
    elif _transformation_of(lake, result["task"], found.scope) != result["transformation"]:
        # if a damaged log has lost the claim, a signed receipt counts for an existing Task
        raise ReceiptError(f"its Task {_shown(result['task'])} was not claimed")
    for name, value in expected.items():
        if result[name] != value:
            raise ReceiptError(f"its {name} is {_shown(result[name])}, but its claim has {value}")
    for row in (*receipt.units, *receipt.files, *receipt.refused, *receipt.replicates):
        if (row["attempt"], row["scope"]) != (found.attempt, found.scope):
            raise ReceiptError(f"it contains rows of another attempt, {_shown(row['attempt'])}")
    if result["host"] not in (None, receipt.host["host"]):
        raise ReceiptError(f"its host {_shown(result['host'])} is not the host that it describes")
    for row in (result, *receipt.units):
        for path in (row[name] for name in _PATHS if row.get(name) is not None):
            if not path.startswith(f"{found.folder}/") or not _is_plain(path):
                raise ReceiptError(f"its object {_shown(path)} is not in the folder of its attempt")
    for file in receipt.files:
        path = file["object_path"]
        # workers of earlier versions stored files in the folder of the attempt
        is_own = path.startswith(f"{found.folder}/") and _is_plain(path)
        if not is_own and not is_content_path(path, found.scope, file["digest"]):
            raise ReceiptError(f"its file {_shown(path)} is not content of its Scope, nor in the folder of its attempt")
    for file in (*receipt.files, *receipt.refused):
        if not _is_plain(file["path"]):
            raise ReceiptError(f"its file {_shown(file['path'])} has a path outside that folder")


def _is_plain(path: str) -> bool:
    """Return whether a path is relative and only descends."""
    return path.isprintable() and "\\" not in path and not {"", ".", ".."} & set(path.split("/"))


def _transformation_of(lake: Lake, task: str, scope: str) -> str | None:
    rows = lake.table("tasks").scan().filter((pl.col("scope") == scope) & (pl.col("task") == task))
    found = collect(rows.select("transformation"), "Tasks")
    return None if found.is_empty() else str(found.item(0, 0))


def _set_aside(lake: Lake, found: _Found, why: str) -> Receipt | None:
    """Move a bad receipt aside and replace it by a failed one; return None if its attempt is unknown.

    An interruption at any point is repaired by repeating: the bad one stays until the last step.
    """
    reason = storable(f"BadReceipt: {why}")
    _log.warning("%s/%s is rejected and renamed to %s: %s", found.folder, _RECEIPT, _ASIDE, reason)
    note: dict[str, Any] = {"reason": reason, "at": now_utc().isoformat()}
    if isinstance(found.data, bytes):
        lake.objects.put(f"{found.folder}/{_ASIDE}", found.data)
        note["n_bytes"] = len(found.data)
    else:  # too large for a receipt, and for a copy
        note["n_bytes"] = found.data.facts["n_bytes"]
    lake.objects.put(f"{found.folder}/{_ASIDE}.json", json.dumps(note).encode())
    fault_point("receipts:before-replacement")
    if found.claim is None:
        lake.objects.delete([f"{found.folder}/{_RECEIPT}"])
        return None
    spec = AttemptSpec(found.attempt, found.claim.task, found.claim.transformation, found.claim.scope)
    receipt = lost_receipt(spec, found.claim.pool, reason, now_utc())
    lake.objects.put(f"{found.folder}/{_RECEIPT}", pack_receipt(receipt, lake.receipt_key.secret_of(found.attempt)))
    return receipt


def _shown(value: object) -> str:
    return storable(repr(value), 200)
