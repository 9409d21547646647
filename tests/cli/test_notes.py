"""Explanations of numbers are printed next to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import main
from tests.real_data import real_case

SCOPE = "a-b-c"


def call(lake: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": str(lake)})
    assert done.exit_code == 0, done.output
    return done


@pytest.mark.parametrize("report", ["dg", "ddg"])
def test_legs_alone_are_not_passed_off_as_differences(tmp_path: Path, report: str) -> None:
    lake = tmp_path / "lake"
    call(lake, "import-results", str(real_case("13-solvent-only") / "edges.csv"), "--scope", SCOPE)
    said = call(lake, "gather", "--report", report).stderr
    assert "2 of 2 edges: only the solvent leg exists: the value is that of the leg, not a difference" in said


def test_experimental_names_that_fit_no_ligand_are_named(tmp_path: Path) -> None:
    lake, case = tmp_path / "lake", real_case("12-unmatched-experiment")
    call(lake, "import-results", str(case / "edges.csv"), "--scope", SCOPE)
    said = call(lake, "assays", str(case / "experiment.csv"), "--scope", SCOPE).stderr
    assert "2 experimental values match no ligand of a-b-c: 'B' (did you mean 'b'?), 'cafe_1'" in said
    assert "match no ligand of a-b-c" in call(lake, "gather").stderr


def test_accents_of_either_form_fit(tmp_path: Path) -> None:
    lake, case = tmp_path / "lake", real_case("12-unmatched-experiment")
    call(lake, "import-results", str(case / "edges.csv"), "--scope", SCOPE)
    said = call(lake, "assays", str(case / "experiment-nfd.csv"), "--scope", SCOPE).stderr
    assert "match no ligand" not in said


def test_experiment_stands_beside_estimates_with_how_well_they_agree(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    edges, values = tmp_path / "edges.csv", tmp_path / "experiment.csv"
    lines = ["a,b,complex,0,1,.1", "a,b,solvent,0,2,.1", "b,c,complex,0,1,.1", "b,c,solvent,0,3,.1"]
    edges.write_text("\n".join(["ligand_i,ligand_j,phase,repeat,value_kcal_mol,uncertainty_kcal_mol", *lines]))
    values.write_text("ligand,value_kcal_mol\na,-8\nb,-9\nc,-11.5\n")
    call(lake, "import-results", str(edges), "--scope", SCOPE)
    call(lake, "assays", str(values), "--scope", SCOPE)
    done = call(lake, "gather")
    assert done.stdout.splitlines()[0].endswith("experiment (kcal/mol)")
    assert "RMSE 0." in done.stderr
    assert "over 3 ligands with experiment" in done.stderr


def test_values_of_a_kind_that_no_network_measures_are_said_to_be_unused(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    call(lake, "import-results", str(real_case("absolute_sign")), "--scope", SCOPE)
    values = str(real_case("absolute_sign_exp.csv"))

    wrong = call(lake, "assays", values, "--scope", SCOPE).stderr
    right = call(lake, "assays", values, "--scope", SCOPE, "--kind", "hydration").stderr

    assert "measure hydration, and use no values of kind binding: import them with --kind hydration" in wrong
    assert "--kind" not in right


def test_two_ligands_have_no_interval(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    call(lake, "import-results", str(real_case("absolute_sign")), "--scope", SCOPE)
    call(lake, "assays", str(real_case("absolute_sign_exp.csv")), "--scope", SCOPE, "--kind", "hydration")

    said = call(lake, "gather").stderr

    assert "RMSE 0.02 kcal/mol, MUE" in said
    assert "nan" not in said


@pytest.mark.parametrize("arguments", [["rank"], ["gather"], ["gather", "--report", "ddg"], ["status"], ["tasks"]])
@pytest.mark.parametrize("case", ["absolute_sign", "13-solvent-only/edges.csv"])
def test_tables_without_experiment_are_shown_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, arguments: list[str]
) -> None:
    lake = tmp_path / "lake"
    call(lake, "import-results", str(real_case(case)), "--scope", SCOPE)
    call(lake, "gather")
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)

    assert call(lake, *arguments).stdout
