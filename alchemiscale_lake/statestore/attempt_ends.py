"""Attempts that ended without a result: where they ran, what they had done, the output of their units.

A worker that is stopped leaves a receipt without a result, `unfinished.receipt`; one that is lost left a heartbeat.
Both are gone some day, so they are recorded when the Task is requeued. `query/sql/attempts.sql` shows all attempts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..execution.heartbeat import read_beat
from ..execution.receipt import STEPS
from ..schemas.receipt import Receipt
from ..store import Lake
from ..store.parallel_requests import at_once
from .claims import Claim
from .receipts import find_unfinished

__all__ = ["record_attempt_ends"]

_OF_RESULT: Final = ("host", "hostname", "queue_job", "started_at", "units_total")


def record_attempt_ends(lake: Lake, ends: Sequence[tuple[Claim, str]]) -> int:
    """Record attempts that ended without a result, before their Tasks are requeued; idempotent.

    Parameters
    ----------
    lake : Lake
    ends : sequence of (Claim, str)
        Each with the reason, as it will be in the log.

    Returns
    -------
    int
        Number of attempts about which more is known than the reason.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    unfinished = {r.attempt: r for r in find_unfinished(lake, {claim.attempt: claim.scope for claim, _ in ends})}
    silent = [claim for claim, _ in ends if claim.attempt not in unfinished]
    beats = at_once(lambda claim: read_beat(lake, claim.scope, claim.attempt), silent)
    known = {attempt: _of_receipt(receipt) for attempt, receipt in unfinished.items()}
    known |= {
        claim.attempt: {
            "hostname": beat.hostname,
            "queue_job": beat.queue_job,
            "started_at": beat.started_at,
            "last_seen_at": beat.at,
            "units_done": beat.units_done if beat.units_total else None,
            "units_total": beat.units_total or None,
        }
        for claim, beat in zip(silent, beats, strict=True)
        if beat is not None
    }
    if not known:
        return 0
    receipts = list(unfinished.values())
    lake.table("hosts").append_new([dict(receipt.host) for receipt in receipts])
    lake.table("unit_results").append_new([dict(unit) for receipt in receipts for unit in receipt.units])
    rows = [_row(claim, reason, known[claim.attempt]) for claim, reason in ends if claim.attempt in known]
    lake.table("attempt_ends").append_new(rows)
    return len(rows)


def _row(claim: Claim, reason: str, known: Mapping[str, Any]) -> dict[str, Any]:
    return {"scope": claim.scope, "attempt": claim.attempt, "task": claim.task, "reason": reason, **known}


def _of_receipt(receipt: Receipt) -> dict[str, Any]:
    done = {unit["unit"] for unit in receipt.units if unit["ok"] and unit["unit"] not in STEPS}
    own = {name: receipt.result.get(name) for name in _OF_RESULT}
    return {**own, "last_seen_at": receipt.result["ended_at"], "units_done": len(done)}
