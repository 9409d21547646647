"""`pools list` and `pools check`, on the templates and on mistakes; output against snapshots."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import MissingDependencyError, SettingsError
from alchemiscale_lake.pools_file import load_pools
from alchemiscale_lake.report import lay_out
from alchemiscale_lake.report.pools import pools_sheet
from alchemiscale_lake.report.pools_reference import document
from alchemiscale_lake.settings import Pool, Pools

REPOSITORY = Path(__file__).parents[2]
JOB_SCRIPT = "alchemiscale_lake.engines.job_scripts.job_script"
TEMPLATES = [REPOSITORY / "deployments/pools.yaml", *sorted((REPOSITORY / "deployments/pools").glob("*.yaml"))]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["pools", *arguments])


@pytest.fixture
def no_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a missing dask-jobqueue."""

    def missing(name: str, pool: Pool, command: str) -> str:
        raise MissingDependencyError("a queue needs dask-jobqueue")

    monkeypatch.setattr(JOB_SCRIPT, missing)


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> None:
    def job_script(name: str, pool: Pool, command: str) -> str:
        header = (
            f"#SBATCH -J {name}\n#SBATCH -p {pool.queue}" if pool.kind == "slurm" else f"RequestCpus = {pool.cores}"
        )
        return f"#!/usr/bin/env bash\n\n{header}\nexport A=1\n{command}\n"

    monkeypatch.setattr(JOB_SCRIPT, job_script)


@pytest.mark.usefixtures("no_queues")
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_pass(path: Path, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAKE", raising=False)
    monkeypatch.chdir(REPOSITORY)

    done = run("check", str(path.relative_to(REPOSITORY)))

    assert done.exit_code == 0
    assert "Warning" not in done.stderr
    assert f"{done.stdout}---\n{done.stderr}" == snapshot


def test_list(snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALCHEMISCALE_LAKE_POOLS", str(TEMPLATES[0]))

    done = run("list")

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == snapshot


def test_list_for_people(snapshot: SnapshotAssertion) -> None:
    table = pools_sheet(load_pools(TEMPLATES[0]))
    shown = io.StringIO()

    Console(file=shown, width=100).print(lay_out(table, 100).rich())

    assert shown.getvalue() == snapshot


def test_empty_rows_are_not_printed() -> None:
    table = pools_sheet(Pools.model_validate({"pools": {"a": {"kind": "local"}, "b": {"kind": "local", "cores": 2}}}))

    assert table.columns == ("pool", "a", "b")
    assert [row[0] for row in table.rows] == ["kind", "priority", "worker"]


def test_list_into_a_file(tmp_path: Path) -> None:
    done = run("list", str(TEMPLATES[0]), "-o", str(tmp_path / "pools.tsv"))

    assert done.stderr == f"wrote {tmp_path / 'pools.tsv'} (3 pools)\n"
    assert (tmp_path / "pools.tsv").read_text().startswith("pool\tkind\tpriority\t")


def test_mistakes_end_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pools.yaml").write_text("pools:\n  a:\n    kind: local\n    cores: 0\n  b:\n    kind: slrum\n")

    for command in ("check", "list"):
        done = run(command)

        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.splitlines()[:2] == [
            "Error: 2 mistakes in pools.yaml",
            "pools.yaml:4: pools.a.cores: 0 is less than 1",
        ]


def test_no_file_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALCHEMISCALE_LAKE_POOLS", raising=False)

    done = run("check")

    assert done.exit_code == 1
    assert "there is no ./pools.yaml" in done.stderr


@pytest.mark.usefixtures("queues")
def test_directives_are_shown(tmp_path: Path) -> None:
    keys = "cores: 1, memory: 1GiB, walltime: 1h, work_root: /w"
    (tmp_path / "p.yaml").write_text(
        f"pools:\n  a: {{kind: slurm, queue: q, {keys}}}\n  b: {{kind: htcondor, disk: 1GB, {keys}}}\n"
    )

    done = run("check", str(tmp_path / "p.yaml"))

    a, *of_a, b = done.stdout.splitlines()[:4]
    assert a.startswith("a: submits 0-10 Slurm jobs to queue q, each 1 core, 1GiB for 1h; whenever Tasks wait")
    assert of_a == ["    #SBATCH -J a", "    #SBATCH -p q"]
    assert b.startswith("b: submits")
    # a queue without directives: everything it reads
    assert "    RequestCpus = 1\n    export A=1\n    python -m alchemiscale_lake.execution" in done.stdout


@pytest.mark.parametrize(
    ("template", "asked"),
    [
        ("slurm", ["#SBATCH --gres=gpu:1", "#SBATCH -p gpu", "#SBATCH --constraint=a100", "#SBATCH -t 24:00:00"]),
        ("pbs", ["#PBS -l select=1:ncpus=8:mem=32768mb:ngpus=1", "#PBS -l walltime=24:00:00"]),
        ("lsf", ['#BSUB -gpu "num=1:mode=shared:j_exclusive=yes"', "#BSUB -n 8", '#BSUB -R "rusage[mem=4GB]"']),
    ],
)
def test_templates_ask_their_queues(template: str, asked: list[str]) -> None:
    done = run("check", str(REPOSITORY / f"deployments/pools/{template}.yaml"))

    assert done.exit_code == 0
    shown = [line.strip() for line in done.stdout.splitlines()]
    assert set(asked) <= set(shown)
    assert sum("gpu" in line and ("select" in line or "-gpu" in line or "gres" in line) for line in shown) == 1


def test_what_a_queue_does_not_know_has_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def job_script(name: str, pool: Pool, command: str) -> str:
        raise SettingsError("directive 'x' is not valid for HTCondor; write name = value", value="x")

    monkeypatch.setattr(JOB_SCRIPT, job_script)
    monkeypatch.chdir(tmp_path)
    keys = "kind: htcondor, disk: 1GB, cores: 1, memory: 1GiB, walltime: 1h, directives: x"
    Path("pools.yaml").write_text(f"pools:\n  a: {{{keys}}}\n")

    done = run("check")

    assert done.exit_code == 1
    assert "Error: pools.yaml:2: pools.a: directive 'x' is not valid for HTCondor" in done.stderr


@pytest.mark.usefixtures("no_queues")
def test_warnings_have_line_numbers_and_are_not_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pools.yaml").write_text(
        "pools:\n  a:\n    kind: slurm\n    cores: 2\n    memory: 1GiB\n    walltime: 1h\nunits:\n  X: {cores: 3}\n"
    )

    done = run("check")

    assert done.exit_code == 0
    warnings = [line for line in done.stderr.splitlines() if line.startswith("Warning")]
    assert [re.match(r"Warning: (\S+ \S+): ", line)[1] for line in warnings] == [
        "pools.yaml:2: pools.a.work_root",
        "pools.yaml:8: units.X",
    ]


def test_the_reference_is_fresh() -> None:
    assert (REPOSITORY / "docs/pools.md").read_text() == document(), (
        "write it anew: python -m alchemiscale_lake.report.pools_reference > docs/pools.md"
    )


def test_the_example_of_the_reference_is_right(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", document(), re.DOTALL)
    assert len(examples) == 2
    (tmp_path / "p.yaml").write_text(f"pools: {{here: {{kind: local}}, gpu: {_queue()}}}\n{''.join(examples)}")

    assert run("check", str(tmp_path / "p.yaml")).exit_code == 0


def _queue() -> dict[str, Any]:
    return {"kind": "slurm", "cores": 8, "memory": "32GiB", "gpus": 1, "walltime": "24h", "work_root": "/shared"}
