"""`plan-dispatch`, run in this process; output against snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import main
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign

POOLS = """
pools:
  local: {kind: local, cores: 4, priority: 1, limits: {maximum: 2}}
  cloud:
    kind: work-pool
    work_pool: k8s
    cores: 2
    priority: 20
    cost_per_gpu_hour: 1.5
    limits: {maximum: 3}
    exclude_scopes: [org-campaign-other]
    burst: {backlog_gpu_hours: 1}
protocols:
  HarmonicProtocol: {cores: 1, duration: 1h}
  LongProtocol: {cores: 8}
"""


@pytest.fixture
def files(tmp_path: Path, lake: Lake) -> Path:
    campaign = Campaign(lake)
    network = campaign.network("tyk2", [("a", "b"), ("b", "c")])
    campaign.new_tasks(network, ["a_b_other", "b_c_other"] * 4)
    large = campaign.network("large", [("x", "y")], protocol="LongProtocol")
    campaign.new_tasks(large, ["x_y_other"])
    other = campaign.network("other", [("x", "y")], scope="org-campaign-other")
    campaign.new_tasks(other, ["x_y_other"], scope="org-campaign-other")
    (tmp_path / "pools.yaml").write_text(POOLS)
    return tmp_path


def call(files: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["plan-dispatch", "--lake", str(files / "lake"), *arguments])


def test_the_plan(files: Path, snapshot: SnapshotAssertion) -> None:
    result = call(files, "--pools", str(files / "pools.yaml"))

    assert result.exit_code == 0, result.stderr
    assert result.stdout == snapshot(name="stdout")
    assert result.stderr == snapshot(name="stderr")


def test_the_file_is_found(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    result = call(files, "--output", "plan.tsv")
    assert result.exit_code == 0, result.stderr
    assert (files / "plan.tsv").read_text().startswith("pool\tkind\tpriority\tstate\t")


def test_without_a_file_it_prints_how_to_begin(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files / "lake")
    monkeypatch.delenv("ALCHEMISCALE_LAKE_POOLS", raising=False)
    result = call(files)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no pools file; give --pools FILE")


def test_the_lake_of_the_file_is_used_unless_another_is_named(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    monkeypatch.delenv("ALCHEMISCALE_LAKE", raising=False)
    (files / "lake").rename(files / "elsewhere")
    (files / "pools.yaml").write_text("lake: ./elsewhere\n" + POOLS)

    assert CliRunner().invoke(main, ["plan-dispatch"]).exit_code == 0
    named = CliRunner().invoke(main, ["plan-dispatch", "--lake", "nowhere"])
    assert named.exit_code == 1
    assert "there is no lake at" in named.stderr
