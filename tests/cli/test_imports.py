from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, plain_chain, plain_receipt

ANA = Caller("ana")
_HEAVY = ("pandas", "scipy", "sklearn", "matplotlib", "cinnabar", "gufe", "rdkit", "prefect", "dask")

#: Runs a command, and prints which of the heavy modules were imported.
_RUN = """
import json, sys
from click.testing import CliRunner
from alchemiscale_lake.cli import main
done = CliRunner().invoke(main, sys.argv[2:], catch_exceptions=False)
assert done.exit_code == 0, done.output
print(json.dumps([name for name in json.loads(sys.argv[1]) if name in sys.modules]))
"""


@pytest.fixture
def gathered(lake: Lake) -> Lake:
    network = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network
    ensure_tasks(lake, network, 1, caller=ANA)
    claims = claim_tasks(lake, "p", 2, lease_s=600, caller=ANA)
    record_receipts(lake, [plain_receipt(claim) for claim in claims], caller=ANA)
    gather_network(lake, network)
    return lake


def imported_by(lake: Lake, *arguments: str) -> list[str]:
    command = [sys.executable, "-c", _RUN, json.dumps(_HEAVY), *arguments, "--lake", lake.url]
    found: list[str] = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return found


@pytest.mark.parametrize("arguments", [["status"], ["status", "--transformations"]], ids=" ".join)
def test_status_imports_no_estimator_and_no_plot(gathered: Lake, arguments: list[str]) -> None:
    assert imported_by(gathered, *arguments) == []


@pytest.mark.parametrize("arguments", [["gather", "--as-is"], ["gather"]], ids=" ".join)
def test_gather_with_nothing_new_imports_no_estimator_and_no_plot(gathered: Lake, arguments: list[str]) -> None:
    gather_command = CliRunner().invoke(main, ["gather", "--lake", gathered.url])  # writes the page
    assert gather_command.exit_code == 0

    assert imported_by(gathered, *arguments) == []
