"""`estimate-cost` and `cost-model`, run in this process; output against snapshots."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import main
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, Campaign
from tests.cost_lake import openfe_lake, stored, tasks
from tests.networks.chains import small_chain, text

POOLS = """
pools:
  cluster: {kind: slurm, cores: 8, memory: 32GiB, gpus: 1, walltime: 48h, work_root: /w, limits: {maximum: 2},
            cost_per_gpu_hour: 0.5}
  here: {kind: local, cores: 4}
"""


@pytest.fixture
def files(tmp_path: Path, lake: Lake) -> Path:
    legs = openfe_lake(lake, n_targets=3)
    network = stored(lake, legs, 8)
    tasks(Campaign(lake), network, [legs[6], legs[7], legs[7]])
    (tmp_path / "pools.yaml").write_text(POOLS)
    (tmp_path / "network.json").write_text(text(small_chain()))
    return tmp_path


def call(files: Path, command: str, *arguments: str) -> Result:
    words = command.split()
    return CliRunner().invoke(main, [*words, *arguments, "--lake", str(files / "lake")])


def without_numbers(said: str) -> str:
    """Mask the numbers, which differ with every better model; the text does not."""
    said = re.sub(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?(\+00:00)?)?", "TIME", said)
    said = re.sub(r"\b[0-9a-f]{16}\b", "MODEL", said)
    return re.sub(r"(?<![\w.])(\d+[dhms])+|(?<![\w.])[\d.]+(e\+\d+)?(?![\w])", "#", said)


def test_a_network_of_the_lake(files: Path, snapshot: SnapshotAssertion) -> None:
    assert call(files, "cost-model train").exit_code == 0

    result = call(files, "estimate-cost legs", "--pools", str(files / "pools.yaml"))

    assert result.exit_code == 0, result.stderr
    assert without_numbers(result.stdout) == snapshot(name="stdout")
    assert without_numbers(result.stderr) == snapshot(name="stderr")


def test_by_transformation_without_a_model_or_pools(
    files: Path, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files / "lake")
    monkeypatch.delenv("ALCHEMISCALE_LAKE_POOLS", raising=False)
    lake = Lake.open(files / "lake")
    lake.table("results").replace(lake.table("results").scan().limit(0).collect(), number=10**6)
    result = call(files, "estimate-cost", "legs", "-t", "3", "--by-transformation")

    assert result.exit_code == 0, result.stderr
    assert without_numbers(result.stdout) == snapshot(name="stdout")
    assert without_numbers(result.stderr) == snapshot(name="stderr")


def test_a_file(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    result = call(files, "estimate-cost", "network.json", "--scope", SCOPE, "-t", "2", "--output", "price.tsv")
    assert result.exit_code == 0, result.stderr
    header, *rows = (files / "price.tsv").read_text().splitlines()
    assert header.split("\t")[:4] == ["pool", "gpu_model", "slots", "tasks"]
    assert [row.split("\t")[0] for row in rows] == ["cluster", "here", "all together"]
    assert "1 Transformation, 2 Tasks to be created" in result.stderr

    no_scope = call(files, "estimate-cost", "network.json")
    assert no_scope.exit_code == 1
    assert no_scope.stderr.startswith("Error: network.json is a file: give --scope")


def test_models_are_trained_listed_and_shown(files: Path, snapshot: SnapshotAssertion) -> None:
    assert "estimates use physics" in call(files, "cost-model show").stderr
    trained = call(files, "cost-model train")
    assert trained.stderr.startswith("trained model ")
    assert "no model was trained: there is little new data" in call(files, "cost-model train").stderr
    assert call(files, "cost-model train", "--force").exit_code == 0

    listed = call(files, "cost-model list")
    assert len(listed.stdout.splitlines()) == 3
    shown = call(files, "cost-model show")
    assert without_numbers(shown.stdout) == snapshot(name="card")
    assert shown.stderr.startswith("model ")

    wrong = call(files, "cost-model show", "nothing")
    assert wrong.exit_code == 1
    assert wrong.stderr.startswith("Error: there is no cost model 'nothing'")


def test_a_file_has_a_price_before_there_is_a_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALCHEMISCALE_LAKE", raising=False)
    (tmp_path / "network.json").write_text(text(small_chain()))
    words = ["estimate-cost", "network.json", "--scope", "a-b-c"]

    priced = CliRunner().invoke(main, words)
    elsewhere = CliRunner().invoke(main, [*words, "--lake", "nowhere"])

    assert priced.exit_code == 0, priced.output
    assert "estimated from physics alone" in priced.stderr
    assert float(priced.stdout.splitlines()[1].split("\t")[4]) > 0
    assert elsewhere.exit_code == 1
    assert "there is no lake at" in elsewhere.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.json"]
