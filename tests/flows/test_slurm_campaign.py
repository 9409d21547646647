"""Whole campaigns on a real Slurm with fake GPUs, with the dispatcher as a daemon and in batch mode."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch import recovery
from alchemiscale_lake.prefect_api.local_api import Api
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.task_operations import cancel_tasks
from alchemiscale_lake.store import Lake, now_utc
from tests.engines.pools import assert_all_complete_once, counts, daemon, events, results, stored, wait_until
from tests.example_networks import harmonic_network
from tests.slurm import Slurm, slurm

MAIN = (sys.executable, "-m", "alchemiscale_lake")
#: The same, with its imports done.
WARM = ("alchemiscale-lake",)

POOLS = """\
pools:
  cluster:
    kind: slurm
    queue: gpu
    cores: {cores}
    memory: 500MB
    gpus: 1
    walltime: {walltime}
    retire_before: {retire_before}
    idle: 2s
    heartbeat: 1s
    lease: 30s
    interface: lo
    log_folder: {folder}/logs
    environment: ["export PYTHONPATH={code}"]
    limits: {{maximum: {maximum}}}
    tasks_per_job: {tasks_per_job}
{more}
protocols:
  HarmonicProtocol: {{gpus: {share}, memory: 100MB}}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with slurm(tmp_path_factory.mktemp("slurm") / "s", kill_wait_s=10) as running:
        yield running


@pytest.fixture(autouse=True)
def _path(warm_path: str, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands use a running Prefect server, and find their imports done; `cli/test_run.py` does without both."""
    monkeypatch.setenv("PATH", warm_path)


@pytest.fixture(autouse=True)
def _empty(cluster: Slurm) -> Iterator[None]:
    """Check that no test leaves a job behind."""
    yield
    cluster.run("scancel", "--user=root")
    cluster.wait_for(lambda s: not s.jobs())


def pools_file(folder: Path, **changes: Any) -> Path:
    path = folder / "pools.yaml"
    settings = {
        "walltime": "10m",
        "retire_before": "1m",
        "maximum": 3,
        "tasks_per_job": 1,
        "share": 1,
        "cores": 1,
        "more": "",
    }
    path.write_text(POOLS.format(folder=folder, code=Path.cwd(), **(settings | changes)))
    (folder / "logs").mkdir(exist_ok=True)
    return path


def network(n: int = 6, duration_s: float = 0.5, **settings: Any) -> Any:
    return harmonic_network(n, n, n_samples=10, n_windows=1, duration_s=duration_s, **settings)


def steps_of(lake: Lake) -> list[psutil.Process]:
    """Return the processes that run ProtocolUnits of this lake."""
    assert lake.local_path is not None
    work = str(lake.local_path / "work")
    found = []
    for process in psutil.process_iter(["cwd"]):
        if (process.info["cwd"] or "").startswith(work):
            found.append(process)
    return found


def wait_until_missed(lake: Lake) -> None:
    """Wait until the youngest claim is so old that its job, if it is not listed, is taken for lost."""
    claimed_at = events(lake, "claimed")["at"].max()
    wait_until(lambda: (now_utc() - claimed_at).total_seconds() > recovery._UNLISTED_S)


def test_a_daemon_brings_jobs_when_there_is_work_and_lets_them_go(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(), 2)
    command = [*MAIN, "dispatch", "cluster", "--pools", str(pools_file(tmp_path)), "--lake", lake.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert "12 complete, 0 failed" in done.stderr
    assert_all_complete_once(lake, 12)
    rows = results(lake)
    assert set(rows["hostname"]) == set(cluster.nodes), "from zero to all three"
    assert rows["queue_job"].null_count() == 0
    assert set(rows["pool"]) == {"cluster"}
    assert all(rows.group_by("queue_job").agg(pl.col("hostname").n_unique())["hostname"] == 1)
    cluster.wait_for(lambda s: not s.jobs())


def test_single_shot_submits_collects_and_leaves_nothing_but_jobs(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(), 2)
    pools = pools_file(tmp_path, tasks_per_job=2)
    command = [*WARM, "dispatch", "cluster", "--once", "--pools", str(pools), "--lake", lake.url]
    shots = 0
    while counts(lake) != {"complete": 12}:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        shots += 1
        assert shots < 15, counts(lake)
        assert len(cluster.jobs()) <= 3
        cluster.wait_for(lambda s: not s.jobs())
    assert_all_complete_once(lake, 12)
    rows = results(lake)
    assert rows["queue_job"].n_unique() == 6, "two Tasks travel in one job"
    assert set(rows["hostname"]) <= set(cluster.nodes)
    claimers = events(lake, "claimed")["actor"].unique()
    assert len(claimers) == 2, "two shots filled three jobs each; the last only collected"


def test_scancel_costs_the_job_not_the_task(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(duration_s=4.0))
    with daemon(lake, "cluster", pools_file(tmp_path)) as running:
        wait_until(lambda: len(steps_of(lake)) >= 2)
        victim = cluster.running()[0]
        cluster.cancel(victim.job_id)
        running.join()
    assert_all_complete_once(lake, 6)
    released = events(lake, "released")
    assert len(released) == 1
    assert victim.job_id not in set(results(lake)["queue_job"])


def test_batch_mode_releases_what_scancel_ended(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(3, duration_s=20.0))
    command = [*WARM, "dispatch", "cluster", "--once", "--lake", lake.url]
    command += ["--pools", str(pools_file(tmp_path, maximum=1))]
    subprocess.run(command, capture_output=True, timeout=300, check=True)
    wait_until(lambda: len(steps_of(lake)) == 1)
    cluster.cancel(cluster.jobs()[0].job_id)
    cluster.wait_for(lambda s: not s.jobs())
    assert counts(lake) == {"running": 1, "waiting": 2}, "nobody has looked yet"
    wait_until_missed(lake)
    subprocess.run(command, capture_output=True, timeout=300, check=True)
    reasons = events(lake, "released")["reason"].to_list()
    assert len(reasons) == 1
    assert reasons[0].startswith("stopped: ")
    assert counts(lake) == {"running": 1, "waiting": 2}, "and another job has been submitted"


def test_what_slurm_refuses_is_told_and_costs_no_task(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(3))
    pools = pools_file(tmp_path)
    pools.write_text(pools.read_text().replace("queue: gpu", "queue: nosuch"))
    command = [*MAIN, "dispatch", "cluster", "--lake", lake.url, "--pools", str(pools)]
    said = ""
    for _ in range(4):
        done = subprocess.run([*command, "--once"], capture_output=True, text=True, timeout=300, check=True)
        said += done.stderr
        assert counts(lake) == {"waiting": 3}, "nobody has to come and give them back"
    assert "invalid partition specified: nosuch" in said
    reasons = set(events(lake, "released")["reason"])
    assert all(reason.startswith("refused: ") for reason in reasons), reasons
    assert any("sbatch failed" in reason for reason in reasons)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as staying:
        assert staying.stderr is not None
        try:
            told = next(line for line in staying.stderr if "nosuch" in line)
        finally:
            staying.terminate()
            staying.wait(60)
    assert "sbatch failed" in told


def test_jobs_with_a_broken_environment_fail_no_task(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(3))
    pools = pools_file(tmp_path)
    pools.write_text(
        pools.read_text().replace("environment: [", 'environment: ["module load nosuch && exit 1", "exit 1", ')
    )
    command = [*WARM, "dispatch", "cluster", "--once", "--pools", str(pools), "--lake", lake.url]
    for _ in range(2):
        subprocess.run(command, capture_output=True, timeout=300, check=True)
        cluster.wait_for(lambda s: not s.jobs())
        wait_until_missed(lake)
    subprocess.run(command, capture_output=True, timeout=300, check=True)
    assert counts(lake).get("error", 0) == 0
    assert results(lake).is_empty()
    reasons = set(events(lake, "released")["reason"])
    assert reasons == {"refused: its job ended before the attempt started; see the job's output"}


@pytest.mark.timeout(900)
def test_a_task_longer_than_the_walltime_goes_on_in_the_next_job(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    # one of two minutes is used, and part of it for start-up; six units of twelve seconds need two such jobs
    stored(lake, harmonic_network(2, 1, n_samples=10, n_windows=6, duration_s=12.0))
    pools = pools_file(tmp_path, walltime="2m", retire_before="60s", maximum=1)
    with daemon(lake, "cluster", pools) as running:
        report = running.join(800.0)
    assert (report.completed, report.failed) == (1, 0)
    assert_all_complete_once(lake, 1)
    reasons = events(lake, "released")["reason"].to_list()
    assert reasons
    assert [reason for reason in reasons if not reason.startswith("walltime: ")] == []
    # attempts have rows of the units that they took over, too
    units = lake.table("unit_results").scan().filter(pl.col("ok")).unique(["unit", "started_at"]).collect()
    assert units["unit"].is_unique().all(), "no unit that had ended was run again"
    assert events(lake, "claimed")["of_attempt"].n_unique() == len(reasons) + 1


def test_a_task_declared_longer_than_the_walltime_is_not_started(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(3))
    pools = pools_file(tmp_path, walltime="10m")
    pools.write_text(pools.read_text().replace("gpus: 1, memory", "gpus: 1, duration: 1h, memory"))
    with daemon(lake, "cluster", pools) as running:
        assert running.join().claimed == 0
    assert counts(lake) == {"waiting": 3}
    assert cluster.jobs() == []


def test_a_node_that_goes_down_takes_no_task_with_it(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(duration_s=3.0))
    with daemon(lake, "cluster", pools_file(tmp_path)) as running:
        wait_until(lambda: len(cluster.running()) == 3 and len(steps_of(lake)) >= 2)
        cluster.drain("node1")
        cluster.fail("node2")
        running.join()
    cluster.resume("node1")
    cluster.resume("node2")
    assert_all_complete_once(lake, 6)
    assert len(events(lake, "released")) >= 1, "what ran on the node that went down"


def test_the_controller_may_be_away_for_a_while(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(duration_s=3.0), 2)
    with daemon(lake, "cluster", pools_file(tmp_path)) as running:
        wait_until(lambda: len(steps_of(lake)) >= 1)
        cluster.stop_controller()
        time.sleep(4.0)
        cluster.start_controller()
        running.join()
    assert_all_complete_once(lake, 12)


def test_own_compute_first_and_the_cluster_past_a_threshold(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(duration_s=1.5), 2)
    more = (
        "    priority: 20\n    cost_per_gpu_hour: 2.0\n    burst: {oldest_waiting: 6s}\n"
        "  here:\n    kind: local\n    cores: 1\n    priority: 1\n    heartbeat: 1s\n    lease: 30s\n"
    )
    pools = pools_file(tmp_path, share=0, more=more)
    with daemon(lake, "here", pools) as own, daemon(lake, "cluster", pools) as rented:
        own.join()
        rented.join()
    assert_all_complete_once(lake, 12)
    claimed = events(lake, "claimed").select("pool", "at", "seq")
    assert set(claimed["pool"]) == {"here", "cluster"}
    first = claimed.group_by("pool").agg(pl.col("at").min())
    began = dict(first.iter_rows())
    created = events(lake, "created")["at"].min()
    assert (began["cluster"] - created).total_seconds() >= 6.0, "not before a Task had waited so long"
    assert began["here"] < began["cluster"]
    where = results(lake).select("pool", "queue_job")
    assert where.filter(pl.col("pool") == "here")["queue_job"].null_count() == len(
        where.filter(pl.col("pool") == "here")
    )
    assert where.filter(pl.col("pool") == "cluster")["queue_job"].null_count() == 0


@pytest.mark.parametrize("pool", ["cluster", "here"])
def test_cancelled_tasks_stop_within_seconds(
    cluster: Slurm, lake: Lake, tmp_path: Path, pool: str, record_property: Any
) -> None:
    key = stored(lake, network(3, duration_s=3600.0))
    more = "  here:\n    kind: local\n    cores: 3\n    heartbeat: 1s\n    lease: 30s\n"
    with daemon(lake, pool, pools_file(tmp_path, share=0, more=more), until="stopped"):
        wait_until(lambda: len(steps_of(lake)) == 3)
        tasks = lake.task_log.states().tasks["task"].to_list()
        processes = {p.pid for p in steps_of(lake)}
        cancel_tasks(lake, tasks[:2], key, caller=Caller("ana"))
        took_s = wait_until(lambda: len(steps_of(lake)) == 1)
        assert counts(lake) == {"running": 1, "waiting": 2}
        set_network_state(lake, [key], "inactive", caller=Caller("ana"))
        closed_s = wait_until(lambda: not steps_of(lake))
        wait_until(lambda: counts(lake) == {"waiting": 3})
        assert not any(psutil.pid_exists(pid) for pid in processes)
    record_property("cancel_to_gone_s", took_s)
    record_property("deactivate_to_gone_s", closed_s)
    assert took_s < 10.0
    assert closed_s < 10.0
    assert len(events(lake, "claimed")) == 3, "no Task is claimed again"
    assert events(lake, "released")["reason"].to_list() == ["no longer actioned on any active network"] * 3


def test_several_tasks_share_a_gpu(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(8, duration_s=3.0))
    with daemon(lake, "cluster", pools_file(tmp_path, maximum=1, share=0.25, cores=4)) as running:
        wait_until(lambda: len(steps_of(lake)) >= 1)
        together = 0
        while counts(lake).get("complete", 0) < 8:
            together = max(together, len(steps_of(lake)))
            time.sleep(0.1)
        running.join()
    assert_all_complete_once(lake, 8)
    assert together == 4, "a quarter each"


def test_a_killed_daemon_leaves_no_job_and_the_next_goes_on(cluster: Slurm, lake: Lake, tmp_path: Path) -> None:
    stored(lake, network(duration_s=2.0))
    pools = pools_file(tmp_path)
    command = [*MAIN, "dispatch", "cluster", "--pools", str(pools), "--lake", lake.url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: counts(lake).get("complete", 0) >= 1)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    cluster.wait_for(lambda s: not s.jobs())
    assert steps_of(lake) == []
    with daemon(lake, "cluster", pools) as running:
        running.join()
    assert_all_complete_once(lake, 6)
