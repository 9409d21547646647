"""Decisions of users about hosts: the latest counts, and a readmission is remembered."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.store import Lake

UNTIL = datetime(2031, 1, 1, tzinfo=UTC)


def test_the_latest_decision_counts(lake: Lake) -> None:
    log, ana = lake.host_log, Caller("ana")
    assert log.decisions() == {}
    log.decide("n1", UNTIL, caller=ana, reason="its fan")
    log.decide("n2", UNTIL, caller=ana)
    log.decide("n2", None, caller=Caller("ben"), reason="repaired")

    found = log.decisions()
    assert set(found) == {"n1", "n2"}
    one, two = found["n1"], found["n2"]
    assert (one.until, one.actor, one.reason, one.readmitted_at) == (UNTIL, "ana", "its fan", None)
    assert (two.until, two.actor, two.reason) == (None, "ben", "repaired")
    assert two.readmitted_at == two.at >= one.at


def test_a_readmission_is_remembered_after_a_later_quarantine(lake: Lake) -> None:
    log, ana = lake.host_log, Caller("ana")
    for until in (UNTIL, None, UNTIL):
        log.decide("n1", until, caller=ana)

    found = log.decisions()["n1"]
    assert found.until == UNTIL
    assert found.readmitted_at is not None
    assert found.readmitted_at < found.at


def test_rows_of_before_format_4_have_another_word(lake: Lake) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    row = {"hostname": "n1", "seq": 1, "idx": 0, "event": "forgiven", "actor": "ana", "at": at, "commit_id": "0" * 32}
    table = lake.table("host_log")
    table.append(lambda *_: pa.Table.from_pylist([row], schema=table.schema.arrow))
    lake.host_log.decide("n1", UNTIL, caller=Caller("ana"))

    assert lake.host_log.decisions()["n1"].readmitted_at == at
