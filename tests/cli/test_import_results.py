"""`import-results` from files to printed free energies, in the published convention."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import main
from tests.quickrun_files import QuickrunNetwork
from tests.real_data import real_case

Call = Callable[..., Result]
SCOPE = "org-campaign-project"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = QuickrunNetwork([("ana", "bob"), ("bob", "cid")])
    for number, leg in enumerate(network.legs()):
        ids = {f"r{k}": str(10**37 + 10 * number + k) for k in range(2)}
        network.write(tmp_path / "tyk2", *leg, [(1.0 + number**2, 0.1), (1.5 + number**2, 0.1)], **ids)
    network.write(tmp_path / "tyk2", "ana", "bob", "complex", ["it blew up"], name="failed", r0="9" * 38)
    return tmp_path / "tyk2"


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": str(tmp_path / "lake")})

    return run


def test_results_are_imported_and_gathered(call: Call, folder: Path, snapshot: SnapshotAssertion) -> None:
    imported = call("import-results", str(folder), "--scope", SCOPE)
    again = call("import-results", str(folder), "--scope", SCOPE)
    gathered = call("gather", "tyk2", "--report", "raw")

    assert imported.exit_code == again.exit_code == gathered.exit_code == 0, imported.stderr
    assert imported.stdout == snapshot(name="networks")
    assert imported.stderr.partition("\n")[2] == snapshot(name="imported")  # the first line has the lake's place
    assert again.stderr == snapshot(name="again")
    assert gathered.stdout == snapshot(name="raw")


def test_a_bad_file_is_named_and_can_be_left_out(call: Call, folder: Path) -> None:
    bad = folder / "cut.json"
    bad.write_text('{"estimate": ')

    refused = call("import-results", str(folder), "--scope", SCOPE)
    done = call("import-results", str(folder), "--scope", SCOPE, "--skip-bad")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"{bad}: not valid JSON" in refused.stderr
    assert done.exit_code == 0
    assert f"skipped {bad}" in done.stderr
    assert "8 new results, 1 new failure" in done.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nosuch.json", None),
        ("cut.json", '{"estimate": '),
        ("dg.csv", "ligand,DG (kcal/mol)\na,1.0\n"),
        ("twice.csv", "ligand,exp DG (kcal/mol)\na,1.0\na,2.0\n"),
        ("words.csv", "ligand_i,ligand_j,value_kcal_mol,uncertainty_kcal_mol\na,b,one,0.1\n"),
    ],
)
def test_what_is_refused_leaves_no_lake(call: Call, tmp_path: Path, name: str, content: str | None) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)

    refused = call("import-results", str(tmp_path / name), "--scope", SCOPE)

    assert refused.exit_code == 1
    assert "created a lake" not in refused.stderr
    assert not (tmp_path / "lake").exists()


def test_several_rows_per_ligand_are_refused_with_the_remedy_and_taken_as_asked(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "chembl.csv"
    table.write_text("ligand,Ki (nM)\nA,1\nA,100\nB,10\n")
    words = ("import-results", str(table), "--scope", SCOPE)

    refused = call(*words)
    done = call(*words, "--duplicates", "geomean", "--temperature", "310")

    assert (refused.exit_code, done.exit_code) == (1, 0), done.output
    assert "--duplicates geomean" in refused.stderr
    assert "1 ligand has 2 measurements" in done.stderr
    rows = call("query", "select ligand, value_kcal_mol, uncertainty_kcal_mol from assays order by ligand").stdout
    (a, mean, sd), (b, other, none) = (line.split("\t") for line in rows.splitlines()[1:])
    rt_ln10 = 8.31446261815324 * 310 / 4184 * math.log(10)
    assert (a, b, none) == ("A", "B", "")
    assert (float(mean), float(other)) == pytest.approx((-8 * rt_ln10, -8 * rt_ln10))
    assert float(sd) == pytest.approx(math.sqrt(2) * rt_ln10)


def test_a_network_of_one_file_is_named_after_it_and_of_a_folder_after_the_folder(call: Call, folder: Path) -> None:
    file = max(folder.glob("*complex*"))

    alone = call("import-results", str(file), "--scope", SCOPE)
    together = call("import-results", str(folder), "--scope", SCOPE)

    assert f"alchemiscale-lake gather {file.name.partition('.')[0]}" in alone.stderr
    assert call("gather", "tyk2", "--report", "raw").exit_code == together.exit_code == 0


def test_a_table_of_edges(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "edges.tsv"
    table.write_text("ligand_i\tligand_j\tvalue_kcal_mol\tuncertainty_kcal_mol\na\tb\t1.0\t0.1\nb\tc\t2.0\t0.1\n")

    done = call("import-results", str(table), "--scope", SCOPE)
    gathered = call("gather", "edges", "--report", "ddg")

    assert done.exit_code == gathered.exit_code == 0, done.stderr
    assert gathered.stdout.splitlines()[1:] == ["a\tb\t1.0\t0.1", "b\tc\t2.0\t0.1"]


@pytest.mark.parametrize("case", ["10-backslash-tsv/edges.csv", "01-hash-names/table.csv", "absolute_sign"])
def test_reports_are_imported_again(call: Call, tmp_path: Path, case: str) -> None:
    call("import-results", str(real_case(case)), "--scope", SCOPE, "--network", "first")
    call("gather", "first", "--report", "ddg", "-o", str(tmp_path / "first.csv"))
    first = columns(tmp_path / "first.csv")
    assert len(first) > 1

    for report, suffix in [("raw", "csv"), ("raw", "tsv"), ("ddg", "csv"), ("ddg", "tsv")]:
        told, name, scope = tmp_path / f"{report}.{suffix}", f"{report}-{suffix}", f"org-campaign-{report}_{suffix}"
        assert call("gather", "first", "--report", report, "-o", str(told)).exit_code == 0
        again = call("import-results", str(told), "--scope", scope, "--network", name)
        assert again.exit_code == 0, again.stderr
        assert call("gather", name, "--report", "ddg", "-o", str(tmp_path / f"{name}.csv")).exit_code == 0

        assert columns(tmp_path / f"{name}.csv") == first, name


def columns(table: Path) -> list[list[str]]:
    """Return the ligands and values of a table, without uncertainties."""
    return [row[:3] for row in csv.reader(io.StringIO(table.read_text()))]


def test_experimental_values_that_match_no_ligand_are_named(call: Call, tmp_path: Path) -> None:
    (tmp_path / "edges.csv").write_text("ligand_i,ligand_j,value\nana,bob,1.0\n")
    (tmp_path / "exp.csv").write_text("ligand,Ki (nM)\nana,5\nBob_1,7\n")

    done = call("import-results", str(tmp_path / "edges.csv"), str(tmp_path / "exp.csv"), "--scope", SCOPE)

    assert done.exit_code == 0, done.stderr
    assert "2 new experimental values" in done.stderr
    assert f"1 experimental value matches no ligand of {SCOPE}: 'Bob_1'" in done.stderr
