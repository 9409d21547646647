"""Published networks, through the product's own path: imported, legs assembled, repeats combined, solved.

The published free energies of every system in the tables agree to 1e-8. One further system of that study,
published without names, does not: an edge of it has a standard deviation of 1.6e-8 kcal/mol among ones of order
0.1, and the published numbers, from a pseudo-inverse that lost modes, are up to 4.5 kcal/mol off. Its
like is made here from a system that is in the tables, and the oracle is the exact solution.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.importing.imports import ImportReport, import_results
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.store import Lake
from tests.estimators.exact import exact_solution
from tests.real_data import real_file

Numbers = dict[str, tuple[float, float]]
N_SYSTEMS, N_LIGANDS = 37, 406


def gathered(lake: Lake, report: ImportReport) -> dict[str, Numbers]:
    """Free energy and uncertainty of every ligand, by the name of the network, with openfe's rule."""
    for network in report.networks:
        gather_network(lake, network, rule="sd")
    names = dict(lake.table("networks").scan().select("network", "name").collect().iter_rows())
    ranked = ask(connect(lake), "ligand_ranking").select("network", "ligand", "value_kcal_mol", "uncertainty_kcal_mol")
    found: dict[str, Numbers] = {}
    for network, ligand, value, uncertainty in ranked.iter_rows():
        found.setdefault(names[network], {})[ligand] = value, uncertainty
    return found


def centred(numbers: Numbers, ligands: list[str]) -> np.ndarray:
    values = np.array([numbers[ligand][0] for ligand in ligands])
    return np.asarray(values - values.mean())


def test_every_published_ligand_is_reproduced(lake: Lake) -> None:
    published: dict[str, Numbers] = {}
    for row in csv.DictReader(io.StringIO(real_file("openfe2024_ligands.csv").read_text())):
        system = published.setdefault(f"{row['system group']}/{row['system name']}", {})
        system[row["ligand name"]] = float(row["DG (kcal/mol)"]), float(row["uncertainty (kcal/mol)"])

    report = import_results(
        lake, [real_file("openfe2024_edges.csv"), real_file("openfe2024_ligands.csv")], "openfe-published-*"
    )
    ours = gathered(lake, report)

    assert (len(ours), sum(map(len, ours.values())), report.n_assays) == (N_SYSTEMS, N_LIGANDS, N_LIGANDS)
    for name, theirs in published.items():
        ligands = sorted(theirs)
        assert sorted(ours[name]) == ligands
        np.testing.assert_allclose(centred(ours[name], ligands), centred(theirs, ligands), rtol=0, atol=1e-8)
        uncertainties = [[numbers[ligand][1] for ligand in ligands] for numbers in (ours[name], theirs)]
        np.testing.assert_allclose(*uncertainties, rtol=0, atol=1e-8)


def test_an_edge_that_is_all_but_exact_meets_the_exact_solution(lake: Lake, tmp_path: Path) -> None:
    text = real_file("openfe2024_edges.csv").read_text()
    rows = [
        row
        for row in csv.DictReader(io.StringIO(text))
        if row["system group"] == "jacs_set" and row["system name"] == "tyk2"
    ]
    for phase in ("complex", "solvent"):
        for k, shift in enumerate((-1.0, 0.0, 1.0)):
            column = f"{phase}_repeat_{k}_DG (kcal/mol)"
            rows[3][column] = repr(float(rows[3][f"{phase}_repeat_1_DG (kcal/mol)"]) + shift * 1.2e-8)
    with (tmp_path / "edges.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)

    numbers = gathered(lake, import_results(lake, [tmp_path / "edges.csv"], "org-campaign-project"))["jacs_set/tyk2"]

    ligands = sorted(numbers)
    legs = [[repeats(row, phase) for phase in ("complex", "solvent")] for row in rows]
    value = [float(bound.mean() - free.mean()) for bound, free in legs]
    sd = [float(np.hypot(bound.std(ddof=1), free.std(ddof=1))) for bound, free in legs]
    ends = [[ligands.index(row[f"ligand_{side}"]) for row in rows] for side in "AB"]
    exact, covariance = exact_solution(len(ligands), *ends, value, sd)
    assert min(sd) < 2e-8
    np.testing.assert_allclose([numbers[ligand][0] for ligand in ligands], exact, rtol=0, atol=1e-8)
    np.testing.assert_allclose(
        [numbers[ligand][1] for ligand in ligands], np.sqrt(np.diag(covariance)), rtol=0, atol=1e-8
    )


def repeats(row: dict[str, str], phase: str) -> np.ndarray:
    return np.array([float(row[f"{phase}_repeat_{k}_DG (kcal/mol)"]) for k in range(3)])
