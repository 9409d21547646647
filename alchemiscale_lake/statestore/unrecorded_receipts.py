"""Receipts that are in no table, whatever the task log contains about their attempts.

A power cut may remove an attempt's event from the log, or an old log may have been truncated; the receipt, which was
fsynced, still exists. Folders are compared with `results`, at the cost of one listing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from ..caller import Caller
from ..store import Lake, attempt_folder, collect
from ..store.parallel_requests import at_once
from .receipts import find_receipts
from .result_recording import Recorded, record_receipts

__all__ = ["forgotten_receipts", "receipts_of_lost_rows", "record_forgotten"]

_RECEIPT = "receipt.arrow"
#: Tables with rows from receipts besides `results`, and the column of `results` that their rows belong to.
_PARTS = {
    "unit_results": "attempt",
    "result_files": "attempt",
    "refused_files": "attempt",
    "replicates": "attempt",
    "hosts": "host",
}
#: Number of receipts read and recorded together.
_BATCH = 200


def forgotten_receipts(lake: Lake) -> dict[str, str]:
    """Return attempts (attempt -> Scope) with a receipt but without a row in `results`, that hold no claim.

    Those with a claim are handled by their dispatcher, or by the one that expires their lease.
    """
    recorded = set(collect(lake.table("results").scan().select("attempt"), "table 'results'")["attempt"])
    held = {state.attempt for state in lake.task_log.states().running().values()}
    scopes = lake.objects.children("attempts")
    attempts = at_once(lambda scope: lake.objects.children(f"attempts/{scope}"), scopes)
    unknown = [
        (attempt, scope)
        for scope, found in zip(scopes, attempts, strict=True)
        for attempt in found
        if attempt not in recorded and attempt not in held
    ]
    return _with_receipt(lake, unknown)


def receipts_of_lost_rows(lake: Lake, tables: Collection[str]) -> dict[str, str]:
    """Return recorded attempts (attempt -> Scope) without rows in tables that lost some, whose receipts still exist.

    Recording these receipts again adds the lost rows, and nothing where an attempt never had such rows.

    Parameters
    ----------
    lake : Lake
    tables : collection of str
        Names of the tables that lost rows; those without rows from receipts are ignored.
    """
    results = collect(lake.table("results").scan().select("scope", "attempt", "host"), "table 'results'")
    bare = results.clear()
    for table, column in _PARTS.items():
        if table in tables:
            there = collect(lake.table(table).scan().select(column).unique(), f"table '{table}'")
            bare = pl.concat([bare, results.join(there, on=column, how="anti")])
    return _with_receipt(lake, list(bare.select("attempt", "scope").unique().sort("attempt").iter_rows()))


def _with_receipt(lake: Lake, attempts: list[tuple[str, str]]) -> dict[str, str]:
    there = at_once(lambda named: lake.objects.exists(f"{attempt_folder(named[1], named[0])}/{_RECEIPT}"), attempts)
    return {attempt: scope for (attempt, scope), found in zip(attempts, there, strict=True) if found}


def record_forgotten(lake: Lake, attempts: Mapping[str, str], *, caller: Caller) -> list[Recorded]:
    """Record the receipts of attempts (attempt -> Scope) in batches.

    Parameters
    ----------
    lake : Lake
    attempts : mapping of str to str
        Scope by identifier of the attempt.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    """
    named = sorted(attempts.items())
    recorded: list[Recorded] = []
    for start in range(0, len(named), _BATCH):
        receipts = find_receipts(lake, dict(named[start : start + _BATCH]))
        recorded += record_receipts(lake, receipts, caller=caller)
    return recorded
