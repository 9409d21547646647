"""`archive` and `import`, in this process; output against snapshots."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.archives import read_manifest
from alchemiscale_lake.cli import import_, main
from alchemiscale_lake.gufe_adapter import load_object
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign
from tests.example_networks import harmonic_network
from tests.lakes import new_lake

HAS_ARCHIVES = importlib.util.find_spec("gufe.archival") is not None
Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """In a folder with a lake of two networks."""
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("tyk2", [("a", "b"), ("b", "c")])
    campaign.network("mcl1", [("x", "y")], scope="org-campaign-other")
    for task in campaign.new_tasks(network, ["a_b_other", "b_c_other"]):
        campaign.result(task)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, arguments)


def said(result: Result) -> str:
    sizes = re.sub(r"\d+\.\d MB", "SIZE", result.output).replace(str(Path.cwd()), "FOLDER")
    return f"exit code {result.exit_code}\n{sizes}"


def test_from_one_lake_to_another(call: Call, snapshot: SnapshotAssertion) -> None:
    steps = [
        call("archive", "tyk2"),
        call("import", "tyk2.zip", "--lake", "other", "--dry-run"),
        call("import", "tyk2.zip", "--lake", "other"),
        call("import", "tyk2.zip", "--lake", "other"),
        call("import", "tyk2.zip", "--lake", "other", "--scope", "a-b-c", "--state", "as-archived"),
        call("networks", "list", "--lake", "other"),
    ]
    assert "\n".join(map(said, steps)) == snapshot


def test_a_deposit(call: Call) -> None:
    done = call(
        "archive",
        "tyk2",
        "mcl1",
        "-o",
        "paper.zip",
        "--scrub",
        "all",
        "--title",
        "Two kinases",
        "--author",
        "Lovelace, Ada",
    )
    assert done.exit_code == 0, done.output
    manifest = read_manifest("paper.zip")
    assert manifest.title == "Two kinases"
    assert {network.network.rpartition("-")[2] for network in manifest.networks} == {"n1", "n2"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("archive", "tyk3"),
        ("archive", "tyk2", "-o", "lake"),
        ("archive", "tyk2", "-o", "absent/tyk2.zip"),
        ("archive", "tyk2", "--author", "Ada; 0000-0002-1825-0098"),
        ("archive", "tyk2", "--related", "cites:"),
        ("import", "tyk2.zip"),
        ("import", "notes.txt"),
    ],
)
def test_mistakes_leave_nothing(call: Call, arguments: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    Path("notes.txt").write_text("no archive")

    done = call(*arguments)

    assert done.exit_code != 0
    assert done.output.replace(str(Path.cwd()), "FOLDER") == snapshot
    assert sorted(path.name for path in Path().iterdir()) == ["lake", "notes.txt"]


def test_a_bad_archive_creates_no_lake(call: Call) -> None:
    Path("bad.zip").write_text("no archive")
    done = call("import", "bad.zip", "--lake", "new")
    assert "not a whole archive" in done.output
    assert not Path("new").exists()
    assert Lake.open("lake").tables


@pytest.mark.parametrize(
    ("networks", "n_new", "command"),
    [
        (["N-1"], {"network_estimates": 3, "results": 6}, "rank N-1"),
        (["N-1"], {"network_estimates": 0, "results": 6}, "gather N-1"),
        (["N-1"], {"network_estimates": 0, "results": 0}, "run N-1"),
        (["N-1", "N-2"], {"network_estimates": 3, "results": 6}, "status"),
    ],
)
def test_the_next_command_fits_what_was_imported(networks: list[str], n_new: dict[str, int], command: str) -> None:
    assert import_._next_command(networks, n_new) == command


def test_an_archive_of_gufe(call: Call, tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "real")
    submit_network(lake, harmonic_network(2), "org-campaign-project")
    done = call("archive", "harmonic", "--format", "gufe", "-o", "gufe.json", "--title", "Two", "--lake", lake.url)
    if HAS_ARCHIVES:
        assert done.output == "gufe.json\n"
        archive = load_object(tmp_path / "gufe.json")
        assert (archive.metadata, len(archive.network.edges)) == ({"title": "Two"}, 1)
    else:
        assert done.exit_code == 1
        assert "no AlchemicalArchive" in done.output
    assert call("archive", "tyk2", "--format", "gufe", "--files").exit_code == 2
