"""The receipt of an attempt whose worker is gone fits the tables and says no more than is known."""

from __future__ import annotations

from datetime import UTC, datetime

from alchemiscale_lake.execution.lost_attempt import lost_receipt
from alchemiscale_lake.schemas.receipt import pack_receipt, unpack_receipt
from alchemiscale_lake.texts import SHORT
from tests.execution.messages import SPEC

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_a_lost_attempt_is_a_failed_result_without_units_or_duration() -> None:
    receipt = unpack_receipt(pack_receipt(lost_receipt(SPEC, "p", "WorkerLost: node17", AT), None))

    known = {name: receipt.result[name] for name in ("attempt", "task", "transformation", "scope", "pool", "ok")}
    assert known == {
        "attempt": SPEC.attempt,
        "task": SPEC.task,
        "transformation": SPEC.transformation,
        "scope": SPEC.scope,
        "pool": "p",
        "ok": False,
    }
    assert receipt.result["exception"] == "WorkerLost: node17"
    assert (receipt.result["started_at"], receipt.result["ended_at"], receipt.result["wall_time_s"]) == (AT, AT, 0.0)
    assert (list(receipt.units), list(receipt.files)) == ([], [])
    # the dispatcher's host is not the one that is to blame
    assert receipt.result.get("hostname") is None


def test_a_long_reason_is_cut_to_what_a_table_holds() -> None:
    assert len(lost_receipt(SPEC, "p", "x" * 10 * SHORT, AT).result["exception"]) <= SHORT  # type: ignore[arg-type]
