"""Repeats in tables: corrected by their numbers, or sets of their own; what is there twice counts once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import ResultFileError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.importing.import_batch import task_of
from alchemiscale_lake.importing.imports import ImportReport, import_results
from alchemiscale_lake.networks.table_objects import transformation_key
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.statestore.task_operations import set_tasks_status
from alchemiscale_lake.store import Lake
from tests.real_data import real_case

SCOPE = "org-campaign-project"
NUMBERED = "ligand_i,ligand_j,phase,repeat,value_kcal_mol,uncertainty_kcal_mol"
COUNTED = "leg,ligand_i,ligand_j,DG(i->j) (kcal/mol),MBAR uncertainty (kcal/mol)"


class Tables:
    """Imports tables into one network of a lake."""

    def __init__(self, lake: Lake, folder: Path) -> None:
        self.lake, self.folder = lake, folder

    def write(self, name: str, header: str, *rows: str) -> Path:
        path = self.folder / name
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    def give(self, name: str, header: str, *rows: str) -> ImportReport:
        return import_results(self.lake, [self.write(name, header, *rows)], SCOPE, network="mine")

    def counted(self) -> list[float]:
        """Values that count, in order."""
        return sorted(ask(connect(self.lake), "counted_results")["estimate_kcal_mol"])

    def statuses(self) -> dict[str, int]:
        return dict(self.lake.task_log.states().tasks.group_by("status").len().iter_rows())


@pytest.fixture
def tables(lake: Lake, tmp_path: Path) -> Tables:
    return Tables(lake, tmp_path)


def ddg(lake: Lake, network: str) -> tuple[float, float]:
    gather_network(lake, network, rule="sd")
    (row,) = ask(connect(lake), "latest_edges", network=network).iter_rows(named=True)
    return row["value_kcal_mol"], row["uncertainty_kcal_mol"]


@pytest.mark.parametrize("names", [("rr0.tsv", "rr1.tsv", "rr2.tsv"), ("rrall.tsv",)])
@pytest.mark.parametrize("at_once", [True, False])
def test_repeats_of_several_tables_count_like_those_of_one(lake: Lake, names: tuple[str, ...], at_once: bool) -> None:
    paths = [real_case("03-replicate-tables") / name for name in names]
    for some in [paths] if at_once else [[path] for path in paths]:
        (network,) = import_results(lake, some, SCOPE, network="reps").networks

    assert ddg(lake, network) == pytest.approx((-2.9, 0.360555), abs=1e-6)


def test_equal_values_of_two_tables_are_two_repeats(tables: Tables) -> None:
    tables.give("r0.csv", COUNTED, "solvent,a,b,-2.0,0.1", "complex,a,b,-5.0,0.1")
    report = tables.give("r1.csv", COUNTED, "solvent,a,b,-2.0,0.1", "complex,a,b,-5.1,0.1")

    assert tables.counted() == [-5.1, -5.0, -2.0, -2.0]
    added = "2 values added as further repeats; to correct earlier values instead, number the repeats"
    assert report.notes == (f"{tables.folder / 'r1.csv'}: {added}",)


def test_a_table_counts_once_however_often_it_is_given(tables: Tables) -> None:
    rows = ("solvent,a,b,-2.0,0.1", "solvent,a,b,-2.0,0.1")
    tables.give("r0.csv", COUNTED, *rows)
    copy = tables.write("copy.csv", COUNTED, *rows)

    report = import_results(tables.lake, [tables.folder / "r0.csv", copy], SCOPE, network="mine")

    assert (report.n_good, report.n_known, report.notes) == (0, 4, ())
    assert tables.counted() == [-2.0, -2.0]


def test_a_table_that_grew_counts_what_it_had_once(tables: Tables) -> None:
    tables.give("r.csv", COUNTED, "solvent,a,b,-2.0,0.1", "solvent,a,b,-2.0,0.1")
    tables.give("r.csv", COUNTED, "solvent,a,b,-2.0,0.1", "solvent,a,b,-2.0,0.1", "solvent,a,b,-2.2,0.1")

    report = tables.give(
        "r.tsv", COUNTED.replace(",", "\t"), *("solvent\ta\tb\t-2.0\t0.1",) * 3, "solvent\ta\tb\t-2.2\t0.1"
    )

    assert (report.n_good, report.n_known) == (1, 3)
    assert tables.counted() == [-2.2, -2.0, -2.0, -2.0]
    assert all("so counted once" in note for note in report.notes)


def test_a_corrected_value_takes_the_place_of_the_one_before(tables: Tables) -> None:
    tables.give("v1.csv", NUMBERED, "a,b,solvent,0,-2.0,0.1", "a,b,solvent,1,-2.1,0.1", "b,c,solvent,0,-2.0,0.1")

    report = tables.give("v2.csv", NUMBERED, "a,b,solvent,0,-2.5,0.1", "a,b,solvent,1,-2.1,0.1")

    assert (report.n_good, report.n_known) == (1, 1)
    assert tables.counted() == [-2.5, -2.1, -2.0]
    assert tables.statuses() == {"complete": 3, "invalid": 1}
    assert report.notes == (
        f"{tables.folder / 'v2.csv'}: 1 value put in place of others of the same repeat, whose Tasks are now invalid",
    )


def test_a_replaced_value_stays_replaced_unless_it_is_imported_again(tables: Tables) -> None:
    tables.give("v1.csv", NUMBERED, "a,b,solvent,0,-2.0,0.1")
    tables.give("v2.csv", NUMBERED, "a,b,solvent,0,-2.5,0.1")

    again = tables.give("v1.csv", NUMBERED, "a,b,solvent,0,-2.0,0.1")

    assert tables.counted() == [-2.5]
    assert again.notes == (f"{tables.folder / 'v1.csv'}: 1 value left out: replaced or made invalid earlier",)
    tables.give("v3.csv", NUMBERED, "a,b,solvent,0,-2.0,0.1", "b,c,solvent,0,-1.0,0.1")
    assert tables.counted() == [-2.0, -1.0]


def test_a_value_that_a_person_struck_out_stays_so(tables: Tables) -> None:
    tables.give("v1.csv", NUMBERED, "a,b,solvent,0,-2.0,0.1", "a,b,solvent,1,-2.1,0.1")
    key = transformation_key("mine", ("", "a", "b", "solvent"))
    struck = task_of(Scope.parse(SCOPE), key, "repeat 0: -2.0 0.1")
    set_tasks_status(tables.lake, [struck], "invalid", caller=Caller("ada"))

    tables.give("v2.csv", NUMBERED, "a,b,solvent,0,-2.0,0.1", "a,b,solvent,1,-2.1,0.1", "a,b,solvent,2,-2.2,0.1")

    assert tables.counted() == [-2.2, -2.1]


def test_a_failure_gives_way_to_a_value_and_a_value_to_a_failure(tables: Tables) -> None:
    tables.give("v1.csv", NUMBERED, "a,b,solvent,0,Error,", "a,b,solvent,1,-2.1,0.1")
    tables.give("v2.csv", f"{NUMBERED},failed", "a,b,solvent,0,-2.0,0.1,", "a,b,solvent,1,-2.1,0.1,True")

    assert tables.counted() == [-2.0]
    assert tables.statuses() == {"complete": 1, "error": 1, "invalid": 2}


def test_tables_of_one_import_do_not_contradict_each_other(tables: Tables) -> None:
    paths = [tables.write(f"r{k}.csv", NUMBERED, f"a,b,solvent,0,-2.{k},0.1") for k in range(2)]

    with pytest.raises(ResultFileError, match=r"r1\.csv: repeat 0 of a to b \(solvent\) has another .*r0\.csv"):
        import_results(tables.lake, paths, SCOPE, network="mine")
    assert tables.counted() == []


class KilledError(BaseException):
    """What kills a process, more or less."""


def test_a_correction_is_finished_after_a_crash(tables: Tables) -> None:
    tables.give("v1.csv", NUMBERED, "a,b,solvent,0,-2.0,0.1")

    def kill(name: str) -> None:
        if name == "import:before-events":
            raise KilledError(name)

    with fault_hook(kill), pytest.raises(KilledError):
        tables.give("v2.csv", NUMBERED, "a,b,solvent,0,-2.5,0.1")
    tables.give("v2.csv", NUMBERED, "a,b,solvent,0,-2.5,0.1")

    assert tables.counted() == [-2.5]


def test_several_systems_of_a_table_that_grew_stay_apart(tables: Tables) -> None:
    header = f"{COUNTED},system name"
    rows = [f"solvent,a,b,-{k}.0,0.1,{system}" for k, system in enumerate("xyxy", 1)]
    tables.give("r.csv", header, *rows[:2])

    report = tables.give("r.csv", header, *rows)

    assert (report.n_good, report.n_known) == (2, 2)
    assert tables.counted() == [-4.0, -3.0, -2.0, -1.0]


def test_values_that_earlier_versions_imported_are_known(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    # these knew a value without a number of repeat by its place and numbers alone
    from alchemiscale_lake.importing import table_repeats

    def as_before(self: Any, values: Any) -> Any:
        return [(value, table_repeats.record_of(value).label) for value in values]

    with monkeypatch.context() as patch:
        patch.setattr(table_repeats._Table, "_counted", as_before)
        tables.give("r0.csv", COUNTED, "solvent,a,b,-2.0,0.1", "complex,a,b,-5.0,0.1")

    report = tables.give("r0.csv", COUNTED, "solvent,a,b,-2.0,0.1", "complex,a,b,-5.0,0.1")
    assert (report.n_good, report.n_known) == (0, 2)
    tables.give("r1.csv", COUNTED, "solvent,a,b,-2.0,0.1", "complex,a,b,-5.1,0.1")
    assert tables.counted() == [-5.1, -5.0, -2.0, -2.0]
