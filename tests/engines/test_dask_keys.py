"""The scheduler and the worker of this machine, contacted by another user of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import psutil
import pytest

from alchemiscale_lake.engines.dask_executor import DaskExecutor
from alchemiscale_lake.engines.dask_keys import in_memory_keys, keys_in
from alchemiscale_lake.engines.local_pool import local_pool, open_local_executor
from alchemiscale_lake.store import Lake

NOBODY = 65534
#: Dask's message about a peer without the keys.
REFUSED = (OSError, distributed.comm.CommClosedError, asyncio.TimeoutError)


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskExecutor]:
    lake = Lake.create(tmp_path_factory.mktemp("keys") / "lake")
    with open_local_executor("local", local_pool(1), lake) as opened:
        yield opened


def addresses(executor: DaskExecutor) -> list[str]:
    """Return the environments of the scheduler, its worker, and the process that monitors the worker."""
    cluster = executor._client.cluster
    (nanny,) = cluster.workers.values()
    return [cluster.scheduler_address, nanny.worker_address, nanny.address]


def ask_identity(address: str, security: Any) -> Any:
    async def ask() -> Any:
        async with distributed.rpc(address, connection_args=security.get_connection_args("client"), timeout=2) as peer:
            return await peer.identity()

    return asyncio.run(ask())


def test_who_has_the_keys_is_answered(executor: DaskExecutor) -> None:
    for address in addresses(executor):
        assert ask_identity(address, executor._client.cluster.security)["type"] in ("Scheduler", "Worker", "Nanny")


@pytest.mark.parametrize("keys", ["of another", "none"])
def test_who_has_not_is_refused_by_all(executor: DaskExecutor, keys: str) -> None:
    for address in addresses(executor):
        assert address.startswith("tls://127.0.0.1:")
        if keys == "none":
            security, address = distributed.Security(), address.replace("tls://", "tcp://")
        else:
            security = in_memory_keys()
        with pytest.raises(REFUSED):
            ask_identity(address, security)


def test_a_worker_of_another_user_is_not_taken(executor: DaskExecutor, tmp_path: Path) -> None:
    (before,) = executor._client.scheduler_info()["workers"]
    scheduler = addresses(executor)[0]
    program = (
        "import asyncio, distributed\n"
        "from alchemiscale_lake.engines.dask_keys import in_memory_keys\n"
        "async def join():\n"
        "    keys = in_memory_keys()\n"
        f"    async with distributed.Worker({scheduler!r}, security=keys, local_directory={str(tmp_path)!r},\n"
        "                                  death_timeout=2):\n"
        "        print('joined')\n"
        "asyncio.run(join())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=600)

    assert done.returncode != 0
    assert "joined" not in done.stdout
    assert list(executor._client.scheduler_info()["workers"]) == [before]


def test_an_answer_without_keys_discloses_nothing(executor: DaskExecutor) -> None:
    import httpx

    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    ports = {c.laddr.port for p in family for c in p.net_connections("tcp4") if c.status == psutil.CONN_LISTEN}
    assert all(int(address.rpartition(":")[2]) in ports for address in addresses(executor))

    answers = []
    for port in ports:
        for path in ("status", "info/main/workers.html", "json/counts.json", "metrics", "health", "statics"):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/{path}", timeout=5.0, trust_env=False)
            except httpx.HTTPError:  # it expects TLS
                continue
            answers.append(answer.status_code)
    assert set(answers) == {404}


def test_keys_in_a_folder_are_their_owners(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with keys_in(tmp_path) as security:
            files = [Path(security.tls_ca_file), Path(security.tls_worker_key)]
            assert {file.parent.stat().st_mode & 0o777 for file in files} == {0o700}
            assert all(file.is_relative_to(tmp_path) for file in files)
            if os.geteuid() == 0:
                other: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
                tmp_path.chmod(0o755)
                assert subprocess.run(["cat", files[1]], capture_output=True, check=False, **other).stdout == b""
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == []
