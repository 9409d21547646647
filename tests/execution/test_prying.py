"""Units that look for the operator's credentials find none."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from alchemiscale_lake.execution.stored_assignment import store_assignment
from tests.execution.bench import Bench
from tests.execution.scripted import scripted
from tests.prying import PRYING, found_in, planted, without_capabilities

ROOT = Path(__file__).parents[2]
SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PREFECT_API_AUTH_STRING", "MY_LICENCE_PASSWORD")


def _environment(report: Path) -> dict[str, str]:
    secret = {name: planted(name.lower()) for name in SECRETS}
    return {**os.environ, **secret, "PYTHONPATH": str(ROOT), "PRYING_REPORT": str(report)}


def test_units_of_a_queue_job_find_no_credentials(bench: Bench, tmp_path: Path) -> None:
    spec = bench.spec(scripted(PRYING, in_create=PRYING.replace("shared", "Path()"), in_gather="pass"))
    spec = replace(spec, secret=planted("what_its_receipt_is_signed_with"))
    stored = store_assignment(bench.lake, bench.assignment(spec))
    command = [sys.executable, "-m", "alchemiscale_lake.execution", "--lake", bench.lake.url, "--assignment", stored]
    done = subprocess.run(
        command,
        env=_environment(tmp_path / "report"),
        cwd=ROOT,
        preexec_fn=without_capabilities,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert bench.receipt(spec).result["ok"], bench.receipt(spec).result["exception"]
    assert found_in(tmp_path / "report") == []
