"""Absolute results are free energies of their ligand: signs, scale, and mixing with relative ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import main
from alchemiscale_lake.estimates.comparisons import compare
from alchemiscale_lake.estimates.estimate_versions import Round, compute_version
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.estimates.ranked_ligands import rank_network
from alchemiscale_lake.importing.assays import import_assays
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.query import NAMED_QUERIES, ask, connect
from alchemiscale_lake.report.network_graph import network_graph
from alchemiscale_lake.report.tables import _as_measured, dg_table
from alchemiscale_lake.store import Lake
from tests.lakes import new_lake
from tests.real_data import real_case

SCOPE = "org-campaign-project"
NO_ASSAYS = pl.DataFrame(
    schema={"ligand": pl.String, "kind": pl.String, "value_kcal_mol": pl.Float64, "uncertainty_kcal_mol": pl.Float64}
)


def legs(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return legs as from `legs_to_compute.sql`, each with one result."""
    common = {"network": "n", "qualname": "Transformation", "environment": None, "sd_kcal_mol": None, "failed": False}
    full = []
    for k, row in enumerate(rows):
        value = row["value_kcal_mol"]
        own = {"attempts": [f"{k}"], "values_kcal_mol": [value], "own_uncertainty_kcal_mol": 0.1}
        full.append({**common, "transformation": f"t{k}", **own, **row})
    schema = {"environment": pl.String, "sd_kcal_mol": pl.Float64}
    return pl.DataFrame(full, schema_overrides=schema)


def leg(protocol: str, phase: str, i: str, j: str, value: float, **more: Any) -> dict[str, Any]:
    return {"protocol": protocol, "phase": phase, "ligand_i": i, "ligand_j": j, "value_kcal_mol": value, **more}


def values(found: Round, kind: str) -> dict[str, float]:
    return {row["ligand"]: row["value_kcal_mol"] for row in found.nodes if row["kind"] == kind}


MIXED = """leg\tligand_i\tligand_j\tDG(i->j) (kcal/mol)\tMBAR uncertainty (kcal/mol)
binding\t\ta\t-8.0\t0.1
binding\t\tb\t-7.1\t0.1
binding\t\tb\t-7.9\t0.1
binding\ta\tb\t3.0\t0.1
binding\tb\tc\t-0.5\t0.1
"""
COMMANDS = (
    ("gather", "--report", "dg"),
    ("gather", "--report", "ddg"),
    ("gather", "--report", "raw"),
    ("gather", "--report", "findings"),
    ("gather", "--model", "robust"),
    ("gather", "--model", "bayesian"),
    ("compare",),
    ("rank",),
    ("status",),
    ("status", "mixed", "--transformations"),
    ("tasks", "--network", "mixed"),
    ("fortify", "mixed"),
    ("view", "mixed", "-o", "-"),
    *(("query", f"from {name}") for name, query in NAMED_QUERIES.items() if query.order_by),
)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake with absolute results that contradict a relative one."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "mixed.tsv").write_text(MIXED)
    (folder / "exp.csv").write_text("ligand,exp DG (kcal/mol)\na,-8.5\nb,-7\nc,-7.5\n")
    lake = str(folder / "lake")
    done = call(lake, "import-results", str(folder / "mixed.tsv"), "--scope", SCOPE)
    assert done.exit_code == 0, done.output
    assert call(lake, "assays", str(folder / "exp.csv"), "--scope", SCOPE).exit_code == 0
    assert call(lake, "gather").exit_code == 0
    return folder


def call(lake: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--lake", lake])


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_nothing_that_is_printed_names_a_ligand_that_is_absent(mixed: Path, arguments: tuple[str, ...]) -> None:
    done = call(str(mixed / "lake"), *arguments)

    assert done.exit_code == 0, done.output
    assert done.stdout
    assert "(none)" not in done.output


def test_nothing_that_is_written_names_a_ligand_that_is_absent(mixed: Path) -> None:
    pages = list((mixed / "lake").rglob("*.html"))

    assert pages
    assert not [page for page in pages if "(none)" in page.read_text()]


def test_a_cycle_through_two_absolute_results_names_its_ligands(mixed: Path) -> None:
    found = ask(connect(Lake.open(str(mixed / "lake"))), "latest_findings").filter(checked="cycle")

    assert "a -> b with the absolute results of a and b adds up to" in found["description"].item()
    assert found["subject"].item().to_list() == ["a", "b"]


@pytest.mark.parametrize("suffix", ["tsv", "csv", "json"])
@pytest.mark.parametrize("report", ["ddg", "raw"])
def test_absolute_results_are_read_back_from_a_report(mixed: Path, tmp_path: Path, report: str, suffix: str) -> None:
    lakes = [str(mixed / "lake"), str(tmp_path / "lake")]
    written = call(lakes[0], "gather", "--report", report, "-o", str(tmp_path / f"again.{suffix}"))
    imported = call(lakes[1], "import-results", str(tmp_path / f"again.{suffix}"), "--scope", SCOPE)

    assert (written.exit_code, imported.exit_code) == (0, 0), imported.output
    before, after = (call(lake, "gather", "--report", report, "--tsv").stdout.splitlines() for lake in lakes)
    values = [sorted(line.split("\t")[:-1] for line in lines) for lines in (before, after)]
    assert values[0] == values[1]
    assert [line[-4:-1] for line in values[0] if line[-3] == ""], "absolute results have no ligand_i"


def test_absolute_results_are_read_back_from_the_named_query(mixed: Path, tmp_path: Path) -> None:
    table, lakes = str(tmp_path / "edges.csv"), [str(mixed / "lake"), str(tmp_path / "lake")]
    written = call(lakes[0], "query", "from latest_edges where kind = 'direct'", "-o", table)
    imported = call(lakes[1], "import-results", table, "--scope", SCOPE)

    assert (written.exit_code, imported.exit_code) == (0, 0), imported.output
    before, after = (call(lake, "gather", "--report", "ddg", "--tsv").stdout.splitlines() for lake in lakes)
    assert sorted(line.split("\t")[:-1] for line in before) == sorted(line.split("\t")[:-1] for line in after)


def test_a_table_of_absolute_results_is_on_its_own_scale_beside_experiment(tmp_path: Path) -> None:
    table = tmp_path / "abfe.csv"
    rows = ("ligand,absolute DG (kcal/mol),uncertainty (kcal/mol),exp DG (kcal/mol)", "a,-9,0.1,-7.5", "b,-8,0.1,-7")
    table.write_text("\n".join(rows) + "\n")
    lake = str(tmp_path / "lake")
    assert call(lake, "import-results", str(table), "--scope", SCOPE).exit_code == 0

    shown = call(lake, "gather", "--tsv")

    header, *lines = (line.split("\t") for line in shown.stdout.splitlines())
    found = [dict(zip(header, line, strict=True)) for line in lines]
    value, experiment = header[1], next(name for name in header if name.startswith("exp"))
    assert [(row["ligand"], float(row[value]), float(row[experiment])) for row in found] == [
        ("a", -9.0, -7.5), ("b", -8.0, -7.0)
    ]  # fmt: skip
    assert "absolute results fix their zero" in shown.stderr


def test_the_leg_that_removes_a_ligand_is_printed_as_the_free_energy_of_the_ligand() -> None:
    row = {"phase": "complex", "ligand_i": "a", "ligand_j": None, "estimate_kcal_mol": 15.0}
    rows = [
        {**row, "protocol": "Decoupling", "has_two_states": True},
        {**row, "protocol": "Single", "has_two_states": False},
        {**row, "protocol": "AbsoluteBindingProtocol", "has_two_states": True},
    ]

    shown = _as_measured(pl.DataFrame(rows, schema_overrides={"ligand_j": pl.String}))

    assert sorted(shown.select("phase", "ligand_i", "ligand_j", "estimate_kcal_mol").rows(), key=str) == [
        ("binding", None, "a", 15.0),
        ("complex", "a", None, 15.0),
        ("complex", None, "a", -15.0),
    ]


@pytest.mark.parametrize(
    ("protocol", "phase", "kind"),
    [("AbsoluteSolvationProtocol", "solvent", "hydration"), ("AbsoluteBindingProtocol", "complex", "binding")],
)
@pytest.mark.parametrize("ends", [("a", "(none)"), ("(none)", "a")])
def test_an_absolute_estimate_is_the_ligands_own_whichever_state_it_is_in(
    protocol: str, phase: str, kind: str, ends: tuple[str, str]
) -> None:
    found = compute_version(legs(leg(protocol, phase, *ends, -8.0)), NO_ASSAYS, "own")

    assert values(found, kind) == {"a": -8.0}
    (node,) = found.nodes
    assert (node["absolute"], node["uncertainty_kcal_mol"]) == (True, pytest.approx(0.1))
    (edge,) = found.edges
    assert (edge["ligand_i"], edge["ligand_j"], edge["value_kcal_mol"]) == ("(none)", "a", -8.0)


def test_a_protocol_that_decouples_in_each_environment_keeps_gufes_direction() -> None:
    rows = (leg("Decoupling", "complex", "a", "(none)", 15.0), leg("Decoupling", "solvent", "a", "(none)", 7.0))

    found = compute_version(legs(*rows), NO_ASSAYS, "own")

    # decoupling the ligand costs 8 kcal/mol more in the complex: it binds with -8
    assert values(found, "binding") == {"a": pytest.approx(-8.0)}


def test_relative_and_absolute_results_meet_in_one_network() -> None:
    rows = (
        leg("AbsoluteBindingProtocol", "complex", "a", "(none)", -8.0),
        leg("RelativeHybridTopologyProtocol", "complex", "a", "b", 3.0),
        leg("RelativeHybridTopologyProtocol", "solvent", "a", "b", 2.0),
        leg("SepTopProtocol", "complex", "b", "c", -0.5),
    )

    found = compute_version(legs(*rows), NO_ASSAYS, "own")

    assert values(found, "binding") == pytest.approx({"a": -8.0, "b": -7.0, "c": -7.5})
    assert {row["component"] for row in found.nodes} == {0}
    assert all(row["absolute"] for row in found.nodes)
    assert {row["kind"] for row in found.edges} == {"binding"}


def test_an_edge_from_its_legs_and_by_itself_is_one_edge() -> None:
    rows = (
        leg("RelativeHybridTopologyProtocol", "complex", "a", "b", 3.0),
        leg("RelativeHybridTopologyProtocol", "solvent", "a", "b", 2.0),
        leg("SepTopProtocol", "complex", "a", "b", 1.6),
    )

    (edge,) = compute_version(legs(*rows), NO_ASSAYS, "own").edges

    # variances 0.02 and 0.01
    assert edge["value_kcal_mol"] == pytest.approx((1.0 + 2 * 1.6) / 3)
    assert edge["uncertainty_kcal_mol"] == pytest.approx((0.02 / 3) ** 0.5)
    assert edge["legs"] == ["t0", "t1", "t2"]
    assert "combined" in edge["note"]


def test_absolute_binding_to_two_proteins_keeps_the_two_apart_and_hydration_beside_them() -> None:
    protocol = "AbsoluteBindingProtocol"
    rows = (
        leg(protocol, "complex", "a", "(none)", -8.0, environment="ProteinComponent-1111111122"),
        leg(protocol, "complex", "a", "(none)", -6.0, environment="ProteinComponent-3333333344"),
        leg("AbsoluteSolvationProtocol", "solvent", "a", "(none)", -3.0),
    )

    found = compute_version(legs(*rows), NO_ASSAYS, "own")

    assert values(found, "binding") == {
        "a in ProteinComponent-11111111": -8.0,
        "a in ProteinComponent-33333333": -6.0,
    }
    assert values(found, "hydration") == {"a": -3.0}


def test_a_failed_absolute_result_is_an_edge_in_error() -> None:
    rows = legs(leg("AbsoluteBindingProtocol", "complex", "a", "(none)", 0.0))
    rows = rows.with_columns(pl.lit(None, pl.Float64).alias("value_kcal_mol"), failed=pl.lit(True))

    (edge,) = compute_version(rows, NO_ASSAYS, "own").edges

    assert (edge["status"], edge["missing_legs"]) == ("error", ["binding"])


def test_published_absolute_hydration_results_have_the_sign_of_experiment(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    (network,) = import_results(lake, [real_case("absolute_sign")], SCOPE).networks
    import_assays(lake, real_case("absolute_sign_exp.csv"), SCOPE, kind="hydration")
    gather_network(lake, network)
    con = connect(lake)

    found = dict(ask(con, "ligand_ranking").select("ligand", "value_kcal_mol").iter_rows())
    assert found == pytest.approx({"ligandA": -2.6309, "benzene": -0.7536}, abs=1e-3)
    assert rank_network(con, network).ligands["ligand"].to_list() == ["ligandA", "benzene"]
    (ligands, *_) = compare(con, n_bootstrap=20)
    assert not ligands.performance.relative
    assert ligands.performance["RMSE"].value < 0.05
    assert "absolute results fix their zero" in dg_table(con, network).remarks[0]
    (kind,) = network_graph(lake, network).kinds
    assert [node["name"] for node in kind["nodes"]] == ["benzene", "ligandA"]
    assert kind["edges"] == []
