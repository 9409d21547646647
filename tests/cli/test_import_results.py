"""`import-results` from files to printed free energies, in the published convention."""

from __future__ import annotations

import csv
import io
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
    assert "8 new results, 1 new failures" in done.stderr


def test_what_is_refused_leaves_no_lake(call: Call, tmp_path: Path) -> None:
    refused = call("import-results", str(tmp_path / "nosuch"), "--scope", SCOPE)

    assert refused.exit_code == 1
    assert not (tmp_path / "lake").exists()


def test_a_table_of_edges(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "edges.tsv"
    table.write_text("ligand_i\tligand_j\tvalue_kcal_mol\tuncertainty_kcal_mol\na\tb\t1.0\t0.1\nb\tc\t2.0\t0.1\n")

    done = call("import-results", str(table), "--scope", SCOPE)
    gathered = call("gather", "edges", "--report", "ddg")

    assert done.exit_code == gathered.exit_code == 0, done.stderr
    assert gathered.stdout.splitlines()[1:] == ["a\tb\t1.0\t0.1", "b\tc\t2.0\t0.1"]


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("report", ["raw", "ddg"])
@pytest.mark.parametrize("case", ["10-backslash-tsv/edges.csv", "01-hash-names/table.csv", "absolute_sign"])
def test_reports_are_imported_again(call: Call, tmp_path: Path, case: str, report: str, suffix: str) -> None:
    call("import-results", str(real_case(case)), "--scope", SCOPE, "--network", "first")
    told = call("gather", "first", "--report", report, "-o", str(tmp_path / f"told.{suffix}"))

    again = call(
        "import-results", str(tmp_path / f"told.{suffix}"), "--scope", "org-campaign-other", "--network", "then"
    )
    gathered = call("gather", "then", "--report", "ddg", "-o", str(tmp_path / "then.csv"))
    call("gather", "first", "--report", "ddg", "-o", str(tmp_path / "first.csv"))

    assert told.exit_code == again.exit_code == gathered.exit_code == 0, again.stderr
    first, then = (
        [row[:3] for row in csv.reader(io.StringIO((tmp_path / f"{name}.csv").read_text()))]
        for name in ("first", "then")
    )
    assert then == first
    assert len(first) > 1


def test_experimental_values_that_match_no_ligand_are_named(call: Call, tmp_path: Path) -> None:
    (tmp_path / "edges.csv").write_text("ligand_i,ligand_j,value\nana,bob,1.0\n")
    (tmp_path / "exp.csv").write_text("ligand,Ki (nM)\nana,5\nBob_1,7\n")

    done = call("import-results", str(tmp_path / "edges.csv"), str(tmp_path / "exp.csv"), "--scope", SCOPE)

    assert done.exit_code == 0, done.stderr
    assert "2 new experimental values" in done.stderr
    assert f"1 experimental values match no ligand of {SCOPE}: 'Bob_1'" in done.stderr
