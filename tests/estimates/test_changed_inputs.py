"""No free energy is computed from a file that changed on disk."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import DamagedError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt


@pytest.fixture
def network(lake: Lake) -> str:
    """Return two complete Tasks."""
    submitted = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE, caller=Caller("ana")).network
    ensure_tasks(lake, submitted, 1, caller=Caller("ana"))
    for claim in claim_tasks(lake, "p", 2, lease_s=600, caller=Caller("d")):
        spec = AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)
        leave_receipt(lake, plain_receipt(spec))
        record_receipts(lake, find_receipts(lake, {spec.attempt: spec.scope}), caller=Caller("d"))
    return str(submitted)


@pytest.mark.parametrize("table", ["results", "tasks", "network_members"])
def test_every_byte_of_an_input_counts(lake: Lake, network: str, table: str) -> None:
    assert lake.local_path is not None
    path = next(lake.local_path.glob(f"tables/{table}/**/part-*.parquet"))
    written = path.read_bytes()
    for at in range(5, len(written) - 5, len(written) // 6):
        path.write_bytes(written[:at] + bytes((written[at] ^ 1 << at % 8,)) + written[at + 1 :])
        with pytest.raises(DamagedError, match=rf"'{table}' is damaged: a changed file .*{path.name}.*--repair"):
            gather_network(Lake.open(lake.url), network)
    path.write_bytes(written)
    assert gather_network(Lake.open(lake.url), network).new_round


def test_a_query_that_meets_a_changed_file_suggests_verify(lake: Lake, network: str) -> None:
    assert lake.local_path is not None
    path = next(lake.local_path.glob("tables/results/**/part-*.parquet"))
    written = path.read_bytes()
    path.write_bytes(written[:4] + b"\xff" * (len(written) - 12) + written[-8:])
    done = CliRunner().invoke(main, ["query", "select * from results", "--lake", lake.url])
    assert done.exit_code == 1
    assert "alchemiscale-lake verify" in done.stderr
