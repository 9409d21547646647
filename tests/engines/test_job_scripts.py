"""Job scripts of every kind of queue."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.engines.job_scripts import JobRequest, job_of, queue_name
from alchemiscale_lake.engines.queues import job_script
from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.settings import JOBQUEUE_KINDS, Pool
from tests.queue_pools import pool_of

COMMAND = "/opt/lake/bin/python -m alchemiscale_lake.execution --lake s3://bucket/lake --assignment 1"


@pytest.mark.parametrize("kind", JOBQUEUE_KINDS)
def test_the_script_of_every_kind(kind: str, snapshot: SnapshotAssertion) -> None:
    assert job_script("lake-1", pool_of(kind), COMMAND) == snapshot


@pytest.mark.parametrize(
    ("kind", "asks"),
    [
        ("slurm", "#SBATCH --gres=gpu:2\n"),
        ("pbs", "#PBS -l select=1:ncpus=4:mem=16384mb:ngpus=2\n"),
        ("moab", "#PBS -l nodes=1:ppn=4:gpus=2,mem=16384mb\n"),
        ("lsf", '#BSUB -gpu "num=2"\n'),
        ("htcondor", "request_gpus = 2\n"),
    ],
)
def test_gpus_are_asked_for_in_the_common_form(kind: str, asks: str) -> None:
    assert asks in job_script("lake-1", pool_of(kind, gpus=2), COMMAND)


@pytest.mark.parametrize(
    ("kind", "directive", "other"),
    [
        ("slurm", "--gpus-per-node=a100:2", "--gres"),
        ("pbs", "-l select=1:ncpus=4:ngpus=2:gpu_model=a100", "mem=16384mb"),
        ("moab", "-l nodes=1:ppn=4:gpus=2:a100", "mem=16384mb"),
        ("lsf", '-gpu "num=2:mode=shared"', '"num=2"'),
        ("oar", "-l /nodes=1/gpu=2/core=4", "core=4\n"),
        ("htcondor", "Request_GPUs = 2", "request_gpus"),
    ],
)
def test_an_operators_own_words_for_gpus_are_the_only_ones(kind: str, directive: str, other: str) -> None:
    script = job_script("lake-1", pool_of(kind, gpus=2, directives=[directive]), COMMAND)

    assert directive in script
    assert other not in script
    assert "walltime=01:30:00" in script or kind not in ("pbs", "moab", "oar")


def test_directives_come_last_and_some_can_be_left_out() -> None:
    script = job_script("lake-1", pool_of("slurm", directives=["--mem=0"], skip_directives=["--mem", "requeue"]), "x")
    directives = [line for line in script.splitlines() if line.startswith("#SBATCH")]

    assert [line for line in directives if "mem" in line or "requeue" in line] == ["#SBATCH --mem=0"]
    assert directives[-1] == "#SBATCH --mem=0"


@pytest.mark.parametrize(
    ("pool", "match"),
    [
        (pool_of("oar", gpus=1), "the name of GPUs in OAR"),
        (pool_of("htcondor", directives=["nonsense"]), "name = value"),
    ],
)
def test_what_a_queue_does_not_know_is_an_error(pool: Pool, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        job_script("lake-1", pool, COMMAND)


@pytest.mark.parametrize(
    ("kind", "account", "output"),
    [
        ("slurm", '-A "my project"', '-o "/scratch/100%% of #1/%x-%j.out"'),
        ("lsf", '-P "my project"', '-o "/scratch/of #1/%J.out"'),
        ("pbs", '-A "my project"', "-o /scratch/logs/"),
        ("moab", '-A "my project"', "-o /scratch/logs/"),
    ],
)
def test_spaces_are_quoted(kind: str, account: str, output: str) -> None:
    folders = {"slurm": "/scratch/100% of #1", "lsf": "/scratch/of #1"}
    pool = pool_of(kind, account="my project", log_folder=folders.get(kind, "/scratch/logs"))

    lines = [line.partition(" ")[2] for line in job_script("lake-1", pool, COMMAND).splitlines()]

    assert account in lines
    assert output in lines


def test_slurm_jobs_exclude_quarantined_nodes() -> None:
    request = JobRequest(pool_of("slurm"), Path("/scratch/logs"), ("node1", "node7"))

    assert "#SBATCH --exclude=node1,node7\n" in job_of(request, "lake-1", "x").job_script()


def test_a_script_makes_no_folder(tmp_path: Path) -> None:
    job_script("lake-1", pool_of("slurm", log_folder=str(tmp_path / "logs")), COMMAND)

    assert not (tmp_path / "logs").exists()


def test_a_queue_that_keeps_the_beginning_of_a_name() -> None:
    name = "lake-0123456789abcdef0123456789abcdef"

    assert queue_name("moab", name) == "lake-0123456789"
    assert queue_name("slurm", name) == name
