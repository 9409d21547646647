"""`fortify`: proposals as a table and as pairs for a planner, and a planner whose Transformations are submitted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake import network_transformations, submit_network
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.store import Lake
from tests.example_networks import fanning_network

SCOPE = "org-campaign-project"
#: As in docs/strategies.md.
PLANNER = """
import gufe

def same_protocol(network, ligand_i, ligand_j):
    systems = {system.name: system for system in network.nodes}
    protocol = next(iter(network.edges)).protocol
    yield gufe.Transformation(systems[ligand_i], systems[ligand_j], protocol, name=f"{ligand_i}_{ligand_j}")

def never(network, ligand_i, ligand_j):
    return []
"""


@pytest.fixture
def tree(lake: Lake, tmp_path: Path) -> str:
    """Return a network without cycles: a ligand with three below it."""
    dump_network(fanning_network(3, 1, n_samples=20), tmp_path / "network.json")
    return submit_network(lake, tmp_path / "network.json", SCOPE, name="tree", caller=Caller("me")).network


@pytest.fixture
def call(lake: Lake) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["fortify", *arguments], env={"ALCHEMISCALE_LAKE": str(lake.local_path)})

    return run


def test_proposals_are_a_table_and_pairs_for_a_planner(tree: str, call: Callable[..., Result], tmp_path: Path) -> None:
    done = call("tree", "-n", "2", "-o", str(tmp_path / "pairs.csv"))
    assert done.exit_code == 0, done.output
    pairs = pl.read_csv(tmp_path / "pairs.csv")
    assert pairs["n_bridges"].to_list() == [2, 1]
    assert pairs["kind"].unique().to_list() == ["direct"]
    one = pairs.head(1)
    one.write_csv(tmp_path / "one.csv")
    again = call("tree", "--pairs", str(tmp_path / "one.csv"), "--tsv").stdout.splitlines()
    assert len(again) == 2
    assert again[1].split("\t")[1:3] == list(one.select("ligand_i", "ligand_j").row(0))


def test_a_planner_makes_transformations_and_the_network_with_them_is_submitted(
    tree: str, call: Callable[..., Result], lake: Lake, tmp_path: Path
) -> None:
    (tmp_path / "plan.py").write_text(PLANNER)
    done = call("tree", "-n", "2", "--planner", f"{tmp_path / 'plan.py'}:same_protocol")
    assert done.exit_code == 0, done.output
    assert "5 Transformations (2 new) for 2 more edges" in done.stderr
    grown = done.stdout.splitlines()[-1]
    assert set(network_transformations(lake, tree)) < set(network_transformations(lake, grown))
    assert call(grown, "--tsv").stdout.splitlines()[1].split("\t")[3] == "0", "every edge is in a cycle"


def test_what_a_planner_cannot_make_is_told_and_nothing_submitted(
    tree: str, call: Callable[..., Result], lake: Lake, tmp_path: Path
) -> None:
    (tmp_path / "plan.py").write_text(PLANNER)
    done = call("tree", "-n", "1", "--planner", f"{tmp_path / 'plan.py'}:never")
    assert "the planner made no Transformation of" in done.stderr
    assert len(lake.table("networks").scan().collect()) == 1
    for source, message in [
        ("plan.py", "FILE.py:NAME"),
        (f"{tmp_path / 'none.py'}:f", "cannot be read: No such file"),
        (f"{tmp_path / 'plan.py'}:f", "has no 'f'; it defines"),
    ]:
        wrong = call("tree", "--planner", source)
        assert wrong.exit_code != 0
        assert message in wrong.output
