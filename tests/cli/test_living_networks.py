"""`networks copy | merge | merge-scopes | extend | history`, in this process; output against snapshots."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import main
from alchemiscale_lake.query import find_network
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign
from tests.example_networks import legs_network, sorted_edges
from tests.gufe_adapter.test_extension import write_sdf
from tests.statestore.test_network_copies import WHOLE, A, B, C, part, run

Call = Callable[..., Result]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    campaign = Campaign.at(tmp_path / "lake")
    edges = sorted_edges(WHOLE)
    for name, own, scope in (("march", edges[:6], A), ("april", edges[3:], B)):
        run(campaign, submit_network(campaign.lake, part(name, own), scope).network, [0])
    return campaign.lake


@pytest.fixture
def call(lake: Lake) -> Call:
    def run_command(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["networks", *arguments], env={"ALCHEMISCALE_LAKE": str(lake.local_path)})

    return run_command


def told(result: Result) -> tuple[int, str, str]:
    """Return the output without keys and times."""
    times = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+]*")
    out, err = (
        times.sub("<time>", re.sub(r"AlchemicalNetwork-\w+", "<key>", t)) for t in (result.stdout, result.stderr)
    )
    return result.exit_code, out.replace("root", "<user>"), err


def test_copies_and_merges_say_what_they_add(call: Call, snapshot: SnapshotAssertion) -> None:
    said = [
        call("copy", "march", "--to", C, "--dry-run"),
        call("copy", "march", "--to", C, "--name", "spring"),
        call("copy", "march", "--to", C, "--name", "spring"),
        call("merge", "march", "april", "--name", "both", "--to", C),
        call("merge-scopes", A, B, "--to", "org-campaign-all"),
    ]
    assert [told(result) for result in said] == snapshot


def test_a_copy_without_results_is_to_be_run(call: Call, lake: Lake) -> None:
    submit_network(lake, legs_network(), A)
    assert call("copy", "legs", "--to", C).stderr.endswith(f"\nnext: alchemiscale-lake run legs --scope {C}\n")


def test_a_history_shows_the_revisions_of_a_network(call: Call, lake: Lake) -> None:
    submit_network(lake, part("may", sorted_edges(WHOLE)[:8]), A)
    lines = [line.split("\t") for line in call("growth", "march").stdout.splitlines()]
    names = ("revision", "name", "new_transformations", "results", "reused_results")
    assert [[line[lines[0].index(name)] for name in names] for line in lines[1:]] == [
        ["1", "march", "6", "6", "6"],  # its results are older than it is
        ["2", "may", "2", "6", "6"],
    ]
    assert len(call("growth").stdout.splitlines()) == 4
    assert "no network" in call("growth", "--scope", "org-campaign-x").stderr


def test_a_network_is_extended_by_a_file_of_ligands_and_a_planner_in_a_file(
    call: Call, lake: Lake, tmp_path: Path
) -> None:
    submit_network(lake, legs_network(), A)
    ligands = write_sdf(tmp_path / "new.sdf", "new1")
    planner = tmp_path / "planner.py"
    planner.write_text("def propose(known, mappings, new):\n    return [(min(known, key=lambda l: l.name), new[0])]\n")
    arguments = ("extend", "legs", str(ligands), "--name", "grown", "--planner", f"{planner}:propose")

    dry, done = call(*arguments, "--dry-run"), call(*arguments)

    edges = ["rbfe_lig0_complex_new1_complex", "rbfe_lig0_solvent_new1_solvent"]
    assert dry.stdout.splitlines() == done.stdout.splitlines() == edges
    assert dry.stderr.splitlines() == ["1 ligand and 2 Transformations would be added", "nothing was written"]
    assert done.stderr.splitlines()[0] == "1 ligand and 2 Transformations added"
    again = call(*arguments).stderr.splitlines()[0]
    assert again == "grown exists already, with these 1 ligand and 2 Transformations"
    assert find_network(lake, "grown").endswith(A)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("copy", "nothing", "--to", C), "nothing"),
        (("copy", "march", "--to", A), "already"),
        (("copy", "march"), "--to"),
        (("merge", "march", "--name", "x", "--to", C), "at least two"),
        (("merge", "march", "april", "--to", C), "--name"),
        (("merge-scopes", "org-campaign-x", "--to", C), "no network in Scope"),
        (("extend", "march", "none.sdf", "--name", "x"), "there is no file"),
        (("growth", "nothing"), "nothing"),
    ],
)
def test_mistakes_are_refused(call: Call, arguments: tuple[str, ...], message: str) -> None:
    result = call(*arguments)
    assert result.exit_code != 0
    assert message in result.stderr
