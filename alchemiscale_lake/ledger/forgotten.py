"""Receipts that are in no table, whatever the task log says of their attempts.

A power cut may take the log's word of an attempt, or an old log may have been cut short; the receipt,
which was fsynced, is still there. Folders are compared with `results`, which costs one listing.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..store import Lake, attempt_folder, collect
from .at_once import at_once
from .receipts import find_receipts
from .results import Recorded, record_receipts

__all__ = ["forgotten_receipts", "record_forgotten"]

_RECEIPT = "receipt.arrow"
#: Receipts read and recorded together.
_BATCH = 200


def forgotten_receipts(lake: Lake) -> dict[str, str]:
    """Attempts (attempt -> Scope) that left a receipt and no row in `results`, and hold no claim.

    Those that hold one are looked after by their dispatcher, or by whoever sees their lease end.
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
    left = at_once(lambda named: lake.objects.exists(f"{attempt_folder(named[1], named[0])}/{_RECEIPT}"), unknown)
    return {attempt: scope for (attempt, scope), there in zip(unknown, left, strict=True) if there}


def record_forgotten(lake: Lake, attempts: Mapping[str, str], *, actor: str) -> list[Recorded]:
    """Record the receipts of attempts (attempt -> Scope), some hundreds at a time."""
    named = sorted(attempts.items())
    recorded: list[Recorded] = []
    for start in range(0, len(named), _BATCH):
        receipts = find_receipts(lake, dict(named[start : start + _BATCH]))
        recorded += record_receipts(lake, receipts, actor=actor)
    return recorded
