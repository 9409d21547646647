"""The same lake in a bucket, against a local S3 server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator

import pytest

from alchemiscale_lake.errors import NotALakeError, NotFoundError, StorageError
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.ledger.claims import claim_tasks
from alchemiscale_lake.ledger.estimates import gather_network
from alchemiscale_lake.ledger.results import find_receipts, record_receipts
from alchemiscale_lake.ledger.submit import read_network_chain, submit_network
from alchemiscale_lake.ledger.tasks import ensure_tasks
from alchemiscale_lake.query import connect
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Endpoint of a moto server."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < deadline, "the S3 server did not start"
                assert server.poll() is None, "the S3 server ended"
                time.sleep(0.1)
        yield endpoint
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a place in a fresh bucket; endpoint and credentials are in the environment, and only there."""
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    options = {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "an-id",
        "AWS_SECRET_ACCESS_KEY": "a-very-secret-key",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in options.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    urllib.request.urlopen(urllib.request.Request(f"{s3}/{name}", method="PUT"), timeout=10).close()
    return f"s3://{name}/a/prefix"


def test_a_campaign_in_a_bucket(bucket: str) -> None:
    with pytest.raises(NotALakeError):
        Lake.open(bucket)
    lake = Lake.create(bucket)
    assert (lake.url, lake.local_path) == (bucket, None)
    chain = plain_chain([("a", "b"), ("b", "c"), ("a", "c")])
    network = submit_network(lake, chain, SCOPE).network
    assert submit_network(lake, chain, SCOPE).n_new_objects == 0
    assert {key for key, _ in read_network_chain(lake, network)} == {key for key, _ in chain}
    ensure_tasks(lake, network, 1, creator="ana")
    claims = claim_tasks(lake, "p", 9, lease_s=60, actor="d")
    assert len(claims) == 3
    for claim in claims:
        receipt = plain_receipt(AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope))
        assert leave_receipt(lake, receipt)
        assert not leave_receipt(lake, receipt), "a receipt is written once"
    found = find_receipts(lake, {c.attempt: c.scope for c in claims})
    record_receipts(lake, found, actor="d")
    assert gather_network(lake, network).network == network
    again = Lake.open(bucket)
    again.task_log.fold()
    assert set(again.task_log.states().tasks["status"]) == {"complete"}
    rows = connect(again).execute("SELECT count(*) FROM results WHERE ok").fetchall()
    assert rows == [(3,)]


def test_writers_at_once_claim_each_task_once(bucket: str) -> None:
    lake = Lake.create(bucket)
    network = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network
    ensure_tasks(lake, network, 6, creator="ana")
    claimed: list[str] = []

    def claim() -> None:
        mine = Lake.open(bucket)
        while claims := claim_tasks(mine, "p", 2, lease_s=60, actor="d"):
            claimed.extend(c.task for c in claims)

    threads = [threading.Thread(target=claim) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 12


def test_objects_in_a_bucket(bucket: str) -> None:
    objects = Lake.create(bucket).objects
    objects.put("x/one", b"1")
    assert objects.get("x/one") == b"1"
    assert objects.list("x") == ["x/one"]
    assert objects.exists("x/one")
    assert not objects.exists("x/two")
    with pytest.raises(NotFoundError):
        objects.get("x/two")
    objects.delete(["x/one"])
    assert objects.list("x") == []


def test_no_secret_reaches_an_error(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.create(bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError) as caught:
        Lake(lake._location).objects.get("x")
    assert "a-very-secret-key" not in str(caught.value)
