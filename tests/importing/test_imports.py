"""Results of others in a lake: once each, whole or not at all, and read without what made them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import InvalidScopeError, ResultFileError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.importing.imports import ImportReport, import_results
from alchemiscale_lake.query import ask, connect, find_network
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.lakes import new_lake
from tests.quickrun_files import GENERATIONS, Generation, QuickrunNetwork, Repeat

SCOPE = "org-campaign-project"
#: Free energies by which legs are made: complex legs differ by these, solvent legs are 0.
TRUTH = {"ana": 0.0, "bob": 1.0, "cid": 3.0}
PAIRS = [("ana", "bob"), ("bob", "cid"), ("cid", "ana")]


def repeats(a: str, b: str, phase: str) -> list[Repeat]:
    value = TRUTH[b] - TRUTH[a] if phase == "complex" else 0.0
    return [(5.0 + value + shift, 0.1) for shift in (-0.1, 0.0, 0.1)]


@pytest.fixture
def network() -> QuickrunNetwork:
    return QuickrunNetwork(PAIRS)


def write_all(network: QuickrunNetwork, folder: Path, generation: Generation = "three") -> Path:
    for leg in network.legs():
        network.write(folder, *leg, repeats(*leg), generation)
    return folder


def rows(lake: Lake, table: str) -> list[dict[str, Any]]:
    return lake.table(table).scan().collect().to_dicts()


def statuses(lake: Lake) -> dict[str, int]:
    return dict(lake.task_log.states().tasks.group_by("status").len().iter_rows())


def ranked(lake: Lake, network: str) -> dict[str, float]:
    """Free energies of the ligands that have one."""
    gather_network(lake, network)
    rows = ask(connect(lake), "ligand_ranking", network=network).select("ligand", "value_kcal_mol")
    return {ligand: value for ligand, value in rows.iter_rows() if value is not None}


def values(lake: Lake, network: str) -> dict[str, float]:
    """Free energies of the ligands that have one, the first of them at 0."""
    found = ranked(lake, network)
    return {ligand: value - found["ana"] for ligand, value in found.items()}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_folder_of_results_becomes_a_network_with_free_energies(
    lake: Lake, network: QuickrunNetwork, tmp_path: Path, generation: Generation
) -> None:
    report = import_results(lake, [write_all(network, tmp_path / "tyk2", generation)], SCOPE)

    (imported,) = report.networks
    assert (report.n_files, report.n_good, report.n_failed, report.n_transformations) == (6, 18, 0, 6)
    assert find_network(lake, "tyk2") == imported
    assert values(lake, imported) == pytest.approx(TRUTH)
    assert statuses(lake) == {"complete": 18}


def test_facts_are_those_of_a_submitted_network(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    import_results(lake, [write_all(network, tmp_path / "tyk2")], SCOPE)
    submit_network(lake, network.write_network(tmp_path / "network.json"), "org-campaign-other")

    told = pl.DataFrame(rows(lake, "transformations")).drop("transformation", "key", "name", "ingested_at")
    imported, submitted = (
        part.drop("scope").sort("state_a", "state_b") for _, part in sorted(told.group_by("scope"), key=lambda p: p[0])
    )
    assert not imported.equals(submitted.clear())
    assert imported.sort("state_a", "state_b").to_dicts() == submitted.sort("state_a", "state_b").to_dicts()


def test_results_state_their_source(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    path = network.write(tmp_path / "tyk2", "ana", "bob", "complex", [(1.0, 0.1), (1.2, 0.2)], packed=True)

    import_results(lake, str(path), SCOPE, caller=Caller("ada"))

    (file,) = rows(lake, "imports")
    results = sorted(rows(lake, "results"), key=lambda row: row["estimate_kcal_mol"])
    assert (file["source"], file["format"], file["n_results"], file["imported_by"]) == (str(path), "quickrun", 2, "ada")
    assert [(r["estimate_kcal_mol"], r["uncertainty_kcal_mol"], r["n_units"]) for r in results] == [
        (1.0, 0.1, 3),
        (1.2, 0.2, 3),
    ]
    assert {r["object_path"] for r in results} == {file["object_path"]}
    assert [r["wall_time_s"] for r in results] == [1800.0, 1800.0]
    assert [r["gpu_time_s"] for r in results] == [1800.0, 1800.0]
    kept = zstandard.ZstdDecompressor().decompress(lake.objects.get(file["object_path"]))
    assert json.loads(kept)["estimate"]["magnitude"] == pytest.approx(1.1)
    assert len(rows(lake, "unit_results")) == 6


def test_importing_again_adds_nothing(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    folder = write_all(network, tmp_path / "tyk2")
    import_results(lake, [folder], SCOPE)
    before = {table: rows(lake, table) for table in ("results", "tasks", "task_log", "transformations", "imports")}

    again = import_results(lake, [folder], SCOPE)

    assert (again.n_known_files, again.n_good, again.n_failed, again.n_transformations) == (6, 0, 0, 0)
    assert again.networks == (find_network(lake, "tyk2"),)
    assert {table: rows(lake, table) for table in before} == before


def test_a_compressed_or_rewritten_copy_is_recognised(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    path = network.write(tmp_path / "a", "ana", "bob", "complex", [(1.0, 0.1)])
    anew = tmp_path / "anew.json"
    anew.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    import_results(lake, [path], SCOPE)

    again = import_results(lake, [anew], SCOPE)

    assert (again.n_known_files, again.n_good, again.n_known) == (0, 0, 1)
    assert len(rows(lake, "results")) == 1


def test_a_folder_may_grow(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    folder = tmp_path / "tyk2"
    network.write(folder, "ana", "bob", "complex", repeats("ana", "bob", "complex"))
    (first,) = import_results(lake, [folder], SCOPE).networks
    write_all(network, folder)

    report = import_results(lake, [folder], SCOPE)

    assert report.networks == (first,)
    assert values(lake, first) == pytest.approx(TRUTH)


def test_repeats_in_files_of_their_own_are_of_one_transformation(
    lake: Lake, network: QuickrunNetwork, tmp_path: Path
) -> None:
    for number, repeat in enumerate(repeats("ana", "bob", "complex")):
        network.write(tmp_path / "tyk2" / f"results_{number}", "ana", "bob", "complex", [repeat])

    report = import_results(lake, [tmp_path / "tyk2"], SCOPE)

    assert (report.n_transformations, report.n_good) == (1, 3)
    assert find_network(lake, "tyk2") == report.networks[0]


def test_a_run_that_was_resumed_counts_once(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    ids = {"r0": "1" * 38, "r1": "2" * 38}
    before = network.write(tmp_path / "a", "ana", "bob", "solvent", [(1.0, 0.1), "killed"], **ids)
    after = network.write(tmp_path / "b", "ana", "bob", "solvent", [(1.0, 0.1), (2.0, 0.1)], **ids)
    import_results(lake, [before], SCOPE, network="tyk2")
    assert statuses(lake) == {"complete": 1, "error": 1}

    report = import_results(lake, [after], SCOPE, network="tyk2")

    assert (report.n_good, report.n_known) == (1, 1)
    assert statuses(lake) == {"complete": 2}
    assert len(ask(connect(lake), "counted_results")) == 2


def test_failed_results_have_tasks_in_error_that_are_not_run(
    lake: Lake, network: QuickrunNetwork, tmp_path: Path
) -> None:
    network.write(tmp_path / "r", "ana", "bob", "complex", [(1.0, 0.1), "it blew up"])

    report = import_results(lake, [tmp_path / "r"], SCOPE)

    assert (report.n_good, report.n_failed) == (1, 1)
    assert statuses(lake) == {"complete": 1, "error": 1}
    (failure,) = ask(connect(lake), "failures").to_dicts()
    assert failure["exception"] == "ValueError: it blew up"
    assert failure["unit"] == "HybridTopology Simulation: ana to bob repeat 1 generation 0"
    assert len(lake.task_log.states().claimable()) == 0


# --- which network ---------------------------------------------------------------------------------


def test_results_find_their_transformations_in_a_network_file(
    lake: Lake, network: QuickrunNetwork, tmp_path: Path
) -> None:
    planned = network.write_network(tmp_path / "network.json")

    report = import_results(lake, [write_all(network, tmp_path / "r")], SCOPE, network_file=planned, network="mine")

    assert report.networks == (find_network(lake, "mine"),)
    assert len(rows(lake, "transformations")) == 6
    assert {row["transformation"] for row in rows(lake, "results")} == {
        row["transformation"] for row in rows(lake, "transformations")
    }
    assert values(lake, report.networks[0]) == pytest.approx(TRUTH)


def test_results_of_a_network_that_the_scope_has_go_there(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    submitted = submit_network(lake, network.write_network(tmp_path / "network.json"), SCOPE)

    report = import_results(lake, [write_all(network, tmp_path / "r")], SCOPE)

    assert (report.networks, report.n_transformations, report.n_good) == ((submitted.network,), 0, 18)
    assert values(lake, submitted.network) == pytest.approx(TRUTH)
    assert ensure_tasks(lake, submitted.network, 3, caller=Caller("ada")) == []  # each has its three results


def test_a_network_can_be_submitted_after_its_results(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    import_results(lake, [write_all(network, tmp_path / "r")], SCOPE)

    assert submit_network(lake, network.write_network(tmp_path / "network.json"), SCOPE).new


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_failure_that_has_no_names_is_placed_by_its_keys(
    lake: Lake, network: QuickrunNetwork, tmp_path: Path, generation: Generation
) -> None:
    network.write(tmp_path / "r", "ana", "bob", "complex", [(1.0, 0.1)], generation, name="good")
    network.write(tmp_path / "r", "ana", "bob", "complex", ["no"], generation, name="a_failure")

    report = import_results(lake, [tmp_path / "r"], SCOPE)

    assert (report.n_good, report.n_failed, report.n_transformations, report.notes) == (1, 1, 1, ())


def test_a_failure_of_an_unknown_transformation_is_skipped_and_reported(
    lake: Lake, network: QuickrunNetwork, tmp_path: Path
) -> None:
    network.write(tmp_path / "r", "ana", "bob", "complex", [(1.0, 0.1)])
    lost = network.write(tmp_path / "r", "bob", "cid", "complex", ["no"])

    report = import_results(lake, [tmp_path / "r"], SCOPE)
    later = import_results(lake, [tmp_path / "r"], SCOPE, network_file=network.write_network(tmp_path / "network.json"))

    assert (report.n_good, report.n_failed) == (1, 0)
    assert report.notes == (f"{lost}: skipped, it failed before naming its Transformation; give --network-file",)
    assert (later.n_known_files, later.n_failed) == (1, 1)


def test_names_decide_where_another_gufe_made_the_keys(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    planned = network.write_network(tmp_path / "network.json")
    old = QuickrunNetwork(PAIRS)
    old.solvent = {**old.solvent, "ion_concentration": "0.2 molar"}  # so that no key is the same

    report = import_results(lake, [write_all(old, tmp_path / "r", "settings")], SCOPE, network_file=planned)

    assert report.n_good == 18
    assert len(rows(lake, "transformations")) == 6


def test_results_outside_the_network_file_are_refused(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    planned = QuickrunNetwork(PAIRS[:1]).write_network(tmp_path / "network.json")

    with pytest.raises(ResultFileError, match="belongs to no Transformation of AlchemicalNetwork-"):
        import_results(lake, [write_all(network, tmp_path / "r")], SCOPE, network_file=planned)
    assert rows(lake, "results") == rows(lake, "networks") == []


def test_several_networks_of_one_name_must_be_distinguished(
    lake: Lake, network: QuickrunNetwork, tmp_path: Path
) -> None:
    for pairs in (PAIRS, PAIRS[:2]):
        planned = QuickrunNetwork(pairs).write_network(tmp_path / "network.json")
        submit_network(lake, planned, SCOPE, name="twice")

    with pytest.raises(ResultFileError, match="2 networks in Scope"):
        import_results(lake, [write_all(network, tmp_path / "r")], SCOPE, network="twice")


# --- bad files, crashes ----------------------------------------------------------------------------


@pytest.fixture
def bad(network: QuickrunNetwork, tmp_path: Path) -> Path:
    """A folder with a good file, two damaged ones, and much that is no result."""
    folder = write_all(network, tmp_path / "r")
    good = folder / "rbfe_ana_complex_bob_complex.json"
    (folder / "cut.json").write_bytes(good.read_bytes()[:-100])
    packed = network.write(folder, "ana", "bob", "complex", [(1.0, 0.1)], packed=True, name="cut_too")
    packed.write_bytes(packed.read_bytes()[:-20])
    network.write_network(folder / "network.json")
    (folder / "db.json").write_text('{"a": 1}')
    (folder / "notes.txt").write_text("estimate: good")
    return folder


def test_nothing_is_imported_if_a_file_is_bad(lake: Lake, bad: Path) -> None:
    with pytest.raises(ResultFileError, match="2 of 8 file") as caught:
        import_results(lake, [bad], SCOPE)

    assert "cut.json: not valid JSON" in caught.value.message
    assert "cut_too.json.gz: the compressed file is truncated or damaged" in caught.value.message
    assert rows(lake, "results") == rows(lake, "imports") == []


def test_bad_files_can_be_left_out(lake: Lake, bad: Path) -> None:
    report = import_results(lake, [bad], SCOPE, skip_bad=True)

    assert [Path(path).name for path, _ in report.bad] == ["cut.json", "cut_too.json.gz"]
    assert report.n_good == 18


def test_a_file_that_is_named_must_hold_results(lake: Lake, bad: Path) -> None:
    with pytest.raises(ResultFileError, match=r"db\.json: JSON, but not a result"):
        import_results(lake, [bad / "db.json"], SCOPE)
    with pytest.raises(ResultFileError, match="of AlchemicalNetwork, not of a ProtocolDAGResult"):
        import_results(lake, [bad / "network.json"], SCOPE, skip_bad=True)
    with pytest.raises(ResultFileError, match="there is no such file"):
        import_results(lake, [bad / "nosuch.json"], SCOPE)


def test_a_folder_without_results_is_refused(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()

    with pytest.raises(ResultFileError, match="no results of `openfe quickrun` found"):
        import_results(lake, [tmp_path / "r"], SCOPE)


class KilledError(BaseException):
    """What kills a process, more or less."""


PLACES = ("import:before-results", "import:before-events", "import:before-network", "import:before-files")


@pytest.mark.parametrize("place", PLACES)
def test_whoever_is_killed_the_next_one_finishes(
    lake: Lake, network: QuickrunNetwork, tmp_path: Path, place: str
) -> None:
    folder = write_all(network, tmp_path / "r")
    network.write(folder, "ana", "bob", "complex", ["no"], name="failed")
    untouched = new_lake(tmp_path / "other")
    import_results(untouched, [folder], SCOPE)

    def kill(name: str) -> None:
        if name == place:
            raise KilledError(name)

    with fault_hook(kill), pytest.raises(KilledError):
        import_results(lake, [folder], SCOPE)
    report = import_results(lake, [folder], SCOPE)

    for table in ("results", "tasks", "unit_results", "transformations", "network_members", "networks", "imports"):
        keys = lake.table(table).schema.key
        there = lake.table(table).scan().select(keys).sort(keys).collect()
        assert there.equals(untouched.table(table).scan().select(keys).sort(keys).collect()), table
    assert statuses(lake) == statuses(untouched) == {"complete": 18, "error": 1}
    assert values(lake, report.networks[0]) == pytest.approx(TRUTH)


# --- tables ----------------------------------------------------------------------------------------

WIDE = (
    "ligand_A,ligand_B,complex_repeat_0_DG (kcal/mol),complex_repeat_0_dDG (kcal/mol),"
    "solvent_repeat_0_DG (kcal/mol),solvent_repeat_0_dDG (kcal/mol),failed,system group,system name\n"
)
EDGES = (
    WIDE
    + "ana,bob,6.0,0.1,5.0,0.1,,set,x\nbob,cid,7.0,0.1,5.0,0.1,,set,x\n"
    + "ana,bob,5.5,0.1,5.0,0.1,,set,y\nbob,cid,9.0,0.1,5.0,0.1,True,set,y\n"
)
LIGANDS = (
    "ligand name,Exp DG (kcal/mol),system group,system name\n"
    "ana,-9.0,set,x\nbob,-8.0,set,x\nana,-7.0,set,y\nbob,-6.5,set,y\n"
)


@pytest.fixture
def edges(tmp_path: Path) -> Path:
    path = tmp_path / "edges.csv"
    path.write_text(EDGES)
    return path


def test_every_system_of_a_table_is_a_network(lake: Lake, edges: Path) -> None:
    report = import_results(lake, [edges], SCOPE)

    assert (report.n_transformations, report.n_good, report.n_failed) == (8, 6, 2)
    assert values(lake, find_network(lake, "set/x")) == pytest.approx({"ana": 0.0, "bob": 1.0, "cid": 3.0})
    assert values(lake, find_network(lake, "set/y")) == pytest.approx({"ana": 0.0, "bob": 0.5})  # cid failed


def test_a_table_that_grew_adds_what_is_new(lake: Lake, edges: Path) -> None:
    import_results(lake, [edges], SCOPE)
    edges.write_text(EDGES + "cid,ana,2.0,0.1,5.0,0.1,,set,x\n")

    report = import_results(lake, [edges], SCOPE)

    assert (report.n_good, report.n_failed, report.n_known, report.n_transformations) == (2, 0, 8, 2)
    assert values(lake, find_network(lake, "set/x")) == pytest.approx({"ana": 0.0, "bob": 1.0, "cid": 3.0})


def test_each_system_may_have_a_scope_of_its_own_with_its_experiment(lake: Lake, edges: Path, tmp_path: Path) -> None:
    (tmp_path / "ligands.csv").write_text(LIGANDS)

    report = import_results(lake, [edges, tmp_path / "ligands.csv"], "org-campaign-*")

    assert report.n_assays == 4
    assert {row["scope"] for row in rows(lake, "results")} == {"org-campaign-set_x", "org-campaign-set_y"}
    assert ranked(lake, find_network(lake, "set/x"))["ana"] == pytest.approx(-9.0)


def test_experiments_of_one_name_do_not_share_a_scope(lake: Lake, edges: Path, tmp_path: Path) -> None:
    (tmp_path / "ligands.csv").write_text(LIGANDS)

    with pytest.raises(ResultFileError, match="ligand 'ana' has several experimental values"):
        import_results(lake, [edges, tmp_path / "ligands.csv"], SCOPE)
    assert rows(lake, "results") == []


@pytest.mark.parametrize("scope", ["org-*-*", "*-*-*"])
def test_systems_fill_projects_only(lake: Lake, edges: Path, scope: str) -> None:
    with pytest.raises(InvalidScopeError, match="only replace the project"):
        import_results(lake, [edges], scope)


def test_files_need_a_specific_scope(lake: Lake, network: QuickrunNetwork, tmp_path: Path) -> None:
    with pytest.raises(InvalidScopeError, match="wildcard"):
        import_results(lake, [write_all(network, tmp_path / "r")], "org-campaign-*")


def test_edges_without_phases_are_taken_as_they_are(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "ddg.tsv"
    path.write_text(
        "ligand_i\tligand_j\tDDG(i->j) (kcal/mol)\tuncertainty (kcal/mol)\nana\tbob\t1.0\t0.1\nbob\tcid\t2\t.1\n"
    )

    report = import_results(lake, [path], SCOPE, network="mine")

    assert values(lake, find_network(lake, "mine")) == pytest.approx(TRUTH)
    assert {edge["kind"] for edge in ask(connect(lake), "latest_edges", network=report.networks[0]).to_dicts()} == {
        "direct"
    }


def test_a_report_is_of_one_import(lake: Lake, edges: Path, tmp_path: Path) -> None:
    shutil.copy(edges, tmp_path / "copy.csv")

    report: ImportReport = import_results(lake, [edges, tmp_path / "copy.csv"], SCOPE)

    assert (report.n_files, report.n_good, report.n_failed, report.n_known) == (2, 6, 2, 8)
