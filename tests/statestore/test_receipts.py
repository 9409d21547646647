"""A receipt counts only for its attempt; a bad one is moved aside and affects only its own Task."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.schemas import envelope
from alchemiscale_lake.schemas import receipt as receipt_module
from alchemiscale_lake.schemas.envelope import open_envelope, seal
from alchemiscale_lake.schemas.receipt import Receipt, pack_receipt
from alchemiscale_lake.statestore.claims import Claim, claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake, attempt_folder
from tests.claims import end_claims, renew_leases
from tests.plain import SCOPE, leave_receipt, old_receipt, plain_chain, plain_receipt

OTHER_SCOPE = "org-campaign-other"


def claim_two(lake: Lake) -> list[Claim]:
    for scope in (SCOPE, OTHER_SCOPE):
        submitted = submit_network(lake, plain_chain([("a", "b")]), scope)
        ensure_tasks(lake, submitted.network, 1, caller=Caller("ana"))
    return sorted(
        claim_tasks(lake, "p", 2, lease_s=600, caller=Caller("d")), key=lambda claim: claim.scope, reverse=True
    )


@pytest.fixture
def claims(lake: Lake) -> list[Claim]:
    """Return one in SCOPE and one in OTHER_SCOPE, claimed after the key was created."""
    assert lake.receipt_key
    return claim_two(lake)


def spec(claim: Claim) -> AttemptSpec:
    return AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)


def put(lake: Lake, claim: Claim, data: bytes) -> str:
    path = f"{attempt_folder(claim.scope, claim.attempt)}/receipt.arrow"
    lake.objects.put(path, data)
    return path


def sealed(lake: Lake, receipt: Receipt, *, of: str | None = None) -> bytes:
    return pack_receipt(receipt, lake.receipt_key.secret_of(of or receipt.attempt))


def record(lake: Lake, claims: list[Claim]) -> dict[str, str]:
    """Find and record; return the status of every Task."""
    record_receipts(lake, find_receipts(lake, {c.attempt: c.scope for c in claims}), caller=Caller("d"))
    return {task: state.status for task, state in lake.task_log.states().of([c.task for c in claims]).items()}


def test_receipts_are_found_by_attempt(lake: Lake, claims: list[Claim]) -> None:
    attempts = {c.attempt: c.scope for c in claims}
    assert find_receipts(lake, attempts) == []
    leave_receipt(lake, plain_receipt(spec(claims[0])))
    (found,) = find_receipts(lake, attempts)
    assert found.attempt == claims[0].attempt


def forged(column: str, value: Any, *, part: str = "result") -> Any:
    def change(lake: Lake, mine: Claim, other: Claim) -> bytes:
        good = plain_receipt(spec(mine))
        given = value(lake, mine, other) if callable(value) else value
        if part == "result":
            return sealed(lake, replace(good, result={**good.result, column: given}), of=mine.attempt)
        rows = [{**row, column: given} for row in getattr(good, part)]
        return sealed(lake, replace(good, **{part: rows}), of=mine.attempt)

    return change


def of_other(lake: Lake, mine: Claim, other: Claim) -> str:
    return f"{attempt_folder(other.scope, other.attempt)}/result.json.zst"


def climbing(lake: Lake, mine: Claim, other: Claim) -> str:
    return f"{attempt_folder(mine.scope, mine.attempt)}/../{other.attempt}/result.json.zst"


def repeat_of(claim: Claim) -> dict[str, Any]:
    return {"scope": claim.scope, "attempt": claim.attempt, "replicate": 0, "value_kcal_mol": 1.0}


def against_a_rule(lake: Lake, claim: Claim) -> bytes:
    """Return a receipt whose uncertainty is negative, which no worker of ours writes."""
    said = json.loads(open_envelope(sealed(lake, plain_receipt(spec(claim)))).payload)
    said["result"]["uncertainty_kcal_mol"] = -1.0
    return seal(json.dumps(said).encode(), lake.receipt_key.secret_of(claim.attempt))


HOSTILE: dict[str, Any] = {
    "Scope": forged("scope", OTHER_SCOPE),
    "Task": forged("task", lambda lake, mine, other: other.task),
    "Transformation": forged("transformation", lambda lake, mine, other: other.transformation),
    "attempt": forged("attempt", lambda lake, mine, other: other.attempt),
    "host": forged("host", "another"),
    "object of another attempt": forged("object_path", of_other),
    "object up the tree": forged("object_path", climbing),
    "object elsewhere": forged("object_path", "tables/results/x"),
    "absolute object": forged("object_path", "/etc/passwd"),
    "units of another": forged("attempt", lambda lake, mine, other: other.attempt, part="units"),
    "units of another Scope": forged("scope", OTHER_SCOPE, part="units"),
    "files of another": forged("attempt", lambda lake, mine, other: other.attempt, part="files"),
    "stdout of another": forged("stdout_path", of_other, part="units"),
    "file of another": forged("object_path", of_other, part="files"),
    "replicates of another": lambda lake, mine, other: sealed(
        lake, replace(plain_receipt(spec(mine)), replicates=[repeat_of(other)]), of=mine.attempt
    ),
    "file up the tree": forged("path", "../../x", part="files"),
    "unsigned": lambda lake, mine, other: pack_receipt(plain_receipt(spec(mine)), None),
    "signed by another": lambda lake, mine, other: sealed(lake, plain_receipt(spec(mine)), of=other.attempt),
    "replayed": lambda lake, mine, other: sealed(lake, plain_receipt(spec(other))),
    "of an earlier version": lambda lake, mine, other: old_receipt(plain_receipt(spec(mine))),
    "cut": lambda lake, mine, other: sealed(lake, plain_receipt(spec(mine)))[:-40],
    "empty": lambda lake, mine, other: b"",
    "against a rule of a table": lambda lake, mine, other: against_a_rule(lake, mine),
    "signed rubbish": lambda lake, mine, other: seal(b"{}", lake.receipt_key.secret_of(mine.attempt)),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_bad_receipt_hurts_only_its_own_task(
    lake: Lake, claims: list[Claim], make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    mine, other = claims
    data = make(lake, mine, other)
    path = put(lake, mine, data)
    leave_receipt(lake, plain_receipt(spec(other), estimate=2.0))
    with caplog.at_level(logging.WARNING):
        assert record(lake, claims) == {mine.task: "error", other.task: "complete"}
    assert path in caplog.text
    results = lake.table("results").scan().collect()
    assert results.filter(task=other.task)["estimate_kcal_mol"].to_list() == [2.0]
    (why,) = results.filter(task=mine.task)["exception"]
    assert why.startswith("BadReceipt: ")
    folder = attempt_folder(mine.scope, mine.attempt)
    assert lake.objects.get(f"{folder}/receipt.bad") == data, "it can be looked at"
    assert json.loads(lake.objects.get(f"{folder}/receipt.bad.json"))["reason"] == why
    assert ask(connect(lake), "failures")["exception"].to_list() == [why]
    assert record(lake, claims) == {mine.task: "error", other.task: "complete"}, "again it changes nothing"
    assert lake.table("results").scan().collect().height == 2


def test_rows_of_all_receipts_are_checked_together(
    lake: Lake, claims: list[Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    for claim in claims:
        leave_receipt(lake, plain_receipt(spec(claim)))
    checked: list[int] = []
    monkeypatch.setattr(receipt_module, "problems_of", lambda schema, rows: checked.append(len(rows)) or [])

    found = find_receipts(lake, {claim.attempt: claim.scope for claim in claims})

    assert [receipt.attempt for receipt in found] == [claim.attempt for claim in claims]
    assert set(checked) == {len(claims)}, "one check per table"


def test_one_too_large_is_not_read(lake: Lake, claims: list[Claim], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alchemiscale_lake.statestore.receipts.LARGEST_RECEIPT_BYTES", 10_000)
    put(lake, claims[0], b"x" * 10_001)
    leave_receipt(lake, plain_receipt(spec(claims[1])))
    mine, other = claims
    assert record(lake, claims) == {mine.task: "error", other.task: "complete"}
    assert envelope.LARGEST_RECEIPT_BYTES == 64 * 2**20


@pytest.mark.parametrize("make", [old_receipt, lambda receipt: pack_receipt(receipt, None)], ids=["old", "unsigned"])
def test_attempts_from_before_the_key_need_no_signature(lake: Lake, make: Any) -> None:
    mine, other = claim_two(lake)
    put(lake, mine, make(plain_receipt(spec(mine))))
    assert lake.receipt_key
    renew_leases(lake, {mine.attempt: mine.task}, lease_s=6000, caller=Caller("d"))
    assert record(lake, [mine]) == {mine.task: "complete"}
    end_claims(lake, {other.attempt: other.task}, caller=Caller("d"), reason="stopped")
    put(lake, other, make(replace(plain_receipt(spec(other)), result=plain_receipt(spec(mine)).result)))
    assert record(lake, [other])[other.task] == "waiting", "but must speak of their own Task"


def test_a_signed_receipt_counts_though_the_log_lost_its_claim(lake: Lake, claims: list[Claim]) -> None:
    lost = replace(spec(claims[0]), attempt="f" * 32)
    leave_receipt(lake, plain_receipt(lost))
    (found,) = find_receipts(lake, {lost.attempt: lost.scope})
    record_receipts(lake, [found], caller=Caller("d"))
    assert lake.task_log.states().of([lost.task])[lost.task].status == "complete"
    stranger = replace(lost, attempt="e" * 32, transformation=f"Transformation-x-{SCOPE}")
    leave_receipt(lake, plain_receipt(stranger))
    assert find_receipts(lake, {stranger.attempt: stranger.scope}) == []
    folder = attempt_folder(stranger.scope, stranger.attempt)
    assert lake.objects.list(folder) == [f"{folder}/receipt.bad", f"{folder}/receipt.bad.json"]


def test_setting_aside_may_be_cut(lake: Lake, claims: list[Claim]) -> None:
    data = b"not a receipt"
    put(lake, claims[0], data)

    def die(point: str) -> None:
        if point == "receipts:before-replacement":
            raise KeyboardInterrupt

    with fault_hook(die), pytest.raises(KeyboardInterrupt):
        record(lake, claims)
    assert record(lake, claims)[claims[0].task] == "error"
    assert lake.objects.get(f"{attempt_folder(SCOPE, claims[0].attempt)}/receipt.bad") == data
