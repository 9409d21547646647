"""`networks`: on one small campaign, in this process; output against snapshots."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import main
from alchemiscale_lake.store import Lake
from alchemiscale_lake.tasks import TaskState, status
from tests.campaign import Campaign, hours, small_campaign

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two networks; one has a running Task and a failed one."""
    folder = tmp_path_factory.mktemp("networks") / "lake"
    campaign = Campaign.at(folder)
    network = campaign.network("tyk2", [("a", "b"), ("b", "c")])
    campaign.network("mcl1", [("x", "y")], scope="org-campaign-other")
    failed, running = campaign.new_tasks(network, ["a_b_other", "b_c_other"])
    attempt = campaign.result(failed, ok=False, end_task=False)
    hold(campaign, campaign.tasks[failed], attempt)
    held = campaign.lake.task_log.states().of([failed])[failed]
    campaign.commit([status.fail(held, attempt, "ValueError")])
    hold(campaign, campaign.tasks[running], "f" * 32)
    return folder


def hold(campaign: Campaign, state: TaskState, attempt: str) -> None:
    campaign.commit([status.claim(state, attempt, "local", hours(1))])


@pytest.fixture
def call(kept: Path, tmp_path: Path) -> Call:
    lake = tmp_path / "lake"
    shutil.copytree(kept, lake)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["networks", *arguments], env={"ALCHEMISCALE_LAKE": str(lake)})

    return run


@pytest.fixture
def opened(call: Call, tmp_path: Path) -> Callable[[], Lake]:
    return lambda: Lake.open(tmp_path / "lake")


def test_state_weight_and_patterns_are_listed(call: Call, snapshot: SnapshotAssertion) -> None:
    said = [
        call("set-state", "mcl1", "deleted", "--reason", "a mistake"),
        call("set-weight", "tyk2", "0.25"),
        call("restart-patterns", "add", "tyk2", "--pattern", "NaN", "--pattern", "exploded$", "--max", "2"),
        call("list"),
        call("list", "--state", "active"),
        call("restart-patterns", "list", "tyk2"),
    ]
    assert [result.exit_code for result in said] == [0] * len(said)
    assert [(result.stdout, result.stderr) for result in said] == snapshot


def test_a_network_set_inactive_stops_what_runs(call: Call, opened: Callable[[], Lake]) -> None:
    result = call("set-state", "tyk2", "mcl1", "inactive")
    assert result.stderr.splitlines() == ["2 networks set inactive", "1 running Task stopped and released"]
    assert opened().task_log.states().running() == {}
    assert opened().objects.list("attempts") == [f"attempts/org-campaign-project/{'f' * 32}/stop"]
    assert call("set-state", "tyk2", "active").stderr.splitlines() == ["1 network set active"]


def test_patterns_are_changed_removed_and_cleared(call: Call) -> None:
    call("restart-patterns", "add", "tyk2", "--pattern", "NaN", "--pattern", "CUDA", "--max", "2")
    assert call("restart-patterns", "set", "tyk2", "--pattern", "NaN", "--max", "5").stderr == "1 pattern changed\n"
    assert "NaN\t5\t0\t0" in call("restart-patterns", "list", "tyk2").stdout
    unknown = call("restart-patterns", "remove", "tyk2", "--pattern", "NaN", "--pattern", "none")
    assert unknown.exit_code == 1
    assert unknown.stderr.splitlines() == ["1 pattern removed", "  'none' is not a restart pattern of this network"]
    assert call("restart-patterns", "clear", "tyk2").stderr == "1 pattern removed\n"
    assert call("restart-patterns", "list", "tyk2").stdout.splitlines()[1:] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("set-state", "nothing", "inactive"), "nothing"),
        (("set-state", "tyk2", "paused"), "'paused' is not one of"),
        (("set-weight", "tyk2", "2"), "0<=x<=1"),
        (("restart-patterns", "add", "tyk2", "--pattern", "(", "--max", "1"), "not a regular expression"),
        (("restart-patterns", "add", "tyk2", "--pattern", "x", "--max", "0"), "x>=1"),
        (("restart-patterns", "add", "tyk2", "--max", "1"), "Missing option '--pattern'"),
    ],
)
def test_mistakes_change_nothing(
    call: Call, opened: Callable[[], Lake], arguments: tuple[str, ...], message: str
) -> None:
    result = call(*arguments)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert opened().network_log.seq() == 0


def test_networks_and_cost_models_are_listed_without_a_subcommand(tmp_path: Path) -> None:
    lake = ["--lake", str(tmp_path / "lake")]
    small_campaign(tmp_path / "lake")
    bare, listed = (CliRunner().invoke(main, ["networks", *words, *lake]) for words in ((), ("list",)))

    assert bare.exit_code == listed.exit_code == 0, bare.output
    assert bare.stdout == listed.stdout
    assert CliRunner().invoke(main, ["networks", *lake, "list"]).stdout == listed.stdout
    assert "no models: costs are estimated from physics" in CliRunner().invoke(main, ["cost-model", *lake]).stderr


def test_a_table_without_rows_says_so(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["init", "--lake", str(tmp_path / "lake")])
    for words in (["networks"], ["status"], ["tasks"], ["usage"], ["hosts"], ["query", "from results"]):
        done = CliRunner().invoke(main, [*words, "--lake", str(tmp_path / "lake")])
        assert done.exit_code == 0, done.output
        assert done.stderr in ("no rows\n", "no networks\n"), words
