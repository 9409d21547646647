"""Experimental values in the files that people have: concentrations, logarithms, energies, bounds."""

from __future__ import annotations

import math

import pytest

from alchemiscale_lake.networks.edge_table import read_edge_table
from alchemiscale_lake.networks.measurements import Measured, Measurements

#: R T ln(1 nM / 1 M) at 298.15 K, kcal/mol.
NANOMOLAR = -12.2781


def read(header: str, row: str, **settings: float) -> Measured | str:
    return Measurements(header.split(","), **settings).read(row.split(","))


def value(header: str, row: str, **settings: float) -> float:
    measured = read(header, row, **settings)
    assert isinstance(measured, Measured)
    return measured.value_kcal_mol


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("ligand,Ki (nM)", "a,1"),
        ("ligand,Ki_nM", "a,1"),
        ("name,Kd [uM]", "a,0.001"),
        ("name,exp Kd (µM)", "a,0.001"),
        ("compound,IC50 (pM)", "a,1000"),
        ("compound,ic50 (M)", "a,1e-9"),
        ("ligand,pKi", "a,9"),
        ("ligand,pIC50", "a,9.0"),
        ("Ligand Name,Affinity (nM),Affinity Error (nM),Annotation", "a,1,-1,Racemate"),
        ("BindingDB Ligand Name,Ki (nM),IC50 (nM),Kd (nM)", "a,,1,"),
        ("Molecule ChEMBL ID,Standard Type,Standard Relation,Standard Value,Standard Units", "a,Ki,'=',1,nM"),
        ("Molecule ChEMBL ID,Molecule Name,pChEMBL Value", "a,,9"),
        ("ligand,type,value,unit", "a,pKi,9,"),
        ("ligand,type,value,unit", "a,IC50,0.001,uM"),
        ("ligand,value,unit", f"a,{NANOMOLAR * 4.184},kJ/mol"),
        ("ligand,exp DG (kcal/mol)", f"a,{NANOMOLAR}"),
    ],
)
def test_a_nanomolar_ligand_has_one_free_energy(header: str, row: str) -> None:
    assert value(header, row) == pytest.approx(NANOMOLAR, abs=1e-3)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("ligand,Ki (nM),Temp (C)", "a,1,37.00 C"),
        ("ligand,Ki (nM),temperature", "a,1,310.15"),
        ("ligand,Ki (nM)", "a,1"),
    ],
)
def test_temperature_is_that_of_the_row_or_of_the_call(header: str, row: str) -> None:
    assert value(header, row, temperature_kelvin=310.15) == pytest.approx(NANOMOLAR * 310.15 / 298.15, abs=1e-3)
    if "emp" in header:
        assert value(header, row) == pytest.approx(NANOMOLAR * 310.15 / 298.15, abs=1e-3)


@pytest.mark.parametrize(
    ("header", "row", "uncertainty"),
    [
        ("ligand,Ki (nM),Ki error (nM)", "a,10,1", 0.1 * 0.592484),
        ("ligand,Ki (nM),Ki error (nM)", "a,10,-1", None),
        ("ligand,Ki (nM)", "a,10", None),
        ("ligand,pKi,pKi uncertainty", "a,8,0.1", 0.1 * 0.592484 * math.log(10)),
        ("ligand,type,value,unit,uncertainty", "a,Kd,10,nM,2", 0.2 * 0.592484),
    ],
)
def test_errors_are_those_of_the_logarithm(header: str, row: str, uncertainty: float | None) -> None:
    measured = read(header, row)

    assert isinstance(measured, Measured)
    assert measured.uncertainty_kcal_mol == (None if uncertainty is None else pytest.approx(uncertainty, rel=1e-5))


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("ligand,Ki (nM)", "a,>1000"),
        ("ligand,pKi", "a,<5"),
        ("ligand,Affinity (nM),Affinity Error (nM),Annotation", "a,1000,-1,>1000 outside assay range"),
        ("ligand,Standard Type,Standard Relation,Standard Value,Standard Units", "a,Ki,'>',1000,nM"),
    ],
)
def test_bounds_are_not_values_and_are_named(header: str, row: str) -> None:
    measurements = Measurements(header.split(","))

    assert measurements.read(row.split(",")) == ""
    (note,) = measurements.notes()
    assert note.startswith("left out as bounds, not values: a (")


def test_how_concentrations_were_taken_is_counted() -> None:
    measurements = Measurements(["ligand", "IC50 (nM)", "Ki (nM)"])
    for row in (["a", "5", ""], ["b", "5", ""], ["c", "5", "1"]):
        measurements.read(row)

    assert measurements.notes() == [
        "2 values are IC50, taken as Ki",
        "1 value is taken from ki, of several kinds for one ligand",
    ]


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("ligand,Ki", "a,5", "Ki has no unit"),
        ("ligand,Ki (nM)", "a,0", "a concentration is 0 M"),
        ("ligand,Ki (nM)", "a,strong", "'strong', not a number"),
        ("ligand,value,unit", "a,5,furlong", "unit 'furlong' is not one of"),
        ("ligand,type,value", "a,Ki,5", "ki without a unit"),
        ("ligand,Ki (nM),temperature", "a,5,37", "give it in kelvin"),
        ("ligand,Ki (nM)", ",5", "no name in the ligand column"),
    ],
)
def test_what_cannot_be_read_is_refused(header: str, row: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(header, row)


def test_affinities_of_a_table_are_experiment_of_an_import() -> None:
    header = "Ligand Name,Affinity (nM),Affinity Error (nM),Annotation"

    table = read_edge_table(f"{header}\na,96.3, 1.2,\nb,84.7,-1,Single repeat\nc,1000,-1,>1000", "exp.csv")

    assert [(v.ligand, v.uncertainty_kcal_mol is None) for v in table.ligands] == [("a", False), ("b", True)]
    assert table.notes == (
        "exp.csv: 2 values are affinities of an unnamed kind, taken as Kd",
        "exp.csv: left out as bounds, not values: c (>1000)",
    )
