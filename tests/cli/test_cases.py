"""Inputs that once failed, through the commands that a user types; those of other pages of tests are not repeated."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import main
from tests.real_data import CASES, real_case

SCOPE = "org-campaign-project"
WORKS = (
    "jane@corp.com", "a<b>", "50%", "~tilde", "a+b", "a=b", "target=tyk2", "scope=zzz", "a&b", "a;b", "a,b", "{a}",
    "`a`", "a!b", "(a)", " lead", "trail ", "..dots", "-dash", "caf\u00e9",
)  # fmt: skip
REFUSED = ("a^b", "a|b", "a[b", "a]b", "50%ab", "x%2Fy", "x%20y", "back\\slash")


def call(lake: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": str(lake)})
    assert "Traceback" not in done.output
    assert "failed unexpectedly" not in done.output
    return done


@pytest.mark.parametrize("names", [WORKS[i::5] for i in range(5)], ids=" in ".join)
def test_a_lake_in_folders_of_odd_names_works(tmp_path: Path, names: tuple[str, ...]) -> None:
    lake = tmp_path.joinpath(*names, "lake")

    imported = call(lake, "import-results", str(real_case("05-path-characters") / "edges.csv"), "--scope", SCOPE)
    gathered = call(lake, "gather", "--report", "ddg", "--tsv")

    assert (imported.exit_code, gathered.exit_code) == (0, 0), imported.output + gathered.output
    assert len(gathered.stdout.splitlines()) > 1
    for depth, name in enumerate(names):
        beside = tmp_path.joinpath(*names[:depth]).iterdir()
        assert [path.name for path in beside] == [name], "nothing is written beside it"


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_the_storage_reads_otherwise_is_refused_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    edges = real_case("05-path-characters") / "edges.csv"

    done = call(tmp_path / name / "lake", "import-results", str(edges), "--scope", SCOPE)

    assert done.exit_code == 1
    assert done.stderr.startswith("Error: the folder ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_partitions_of_the_path_are_not_columns(tmp_path: Path) -> None:
    lake = tmp_path / "target=tyk2" / "lake"
    plain = tmp_path / "plain" / "lake"
    tables = []
    for place in (lake, plain):
        call(place, "import-results", str(real_case("02-equals-in-path") / "edges.csv"), "--scope", SCOPE)
        tables.append(call(place, "gather", "--report", "ddg", "--tsv").stdout)

    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("select interval 90 minute as took", "1:30:00"),
        ("select now() - now() as ago", "0:00:00"),
        ("select 'infinity'::timestamp as forever", "infinity"),
        ("select union_value(k := 1) as either", "1"),
    ],
)
def test_values_that_no_column_type_has_come_as_text(tmp_path: Path, statement: str, shown: str) -> None:
    real_case("07-interval-query")
    call(tmp_path / "lake", "init")

    done = call(tmp_path / "lake", "query", statement)

    assert done.exit_code == 0, done.output
    assert shown in done.stdout


def test_a_pools_file_that_a_queue_would_refuse_is_refused(tmp_path: Path) -> None:
    file = shutil.copy(real_case("09-queue-spaces") / "pools.yaml", tmp_path / "pools.yaml")

    done = call(tmp_path / "lake", "pools", "check", str(file))

    assert done.exit_code == 1
    assert f"{file}:4: " in done.output
    assert "gpu long" in done.output


def test_utf_16_is_read_and_latin_1_is_refused_by_its_encoding(tmp_path: Path) -> None:
    case = real_case("14-encodings")

    latin = call(tmp_path / "latin", "import-results", str(case / "latin1.csv"), "--scope", SCOPE)
    wide = call(tmp_path / "wide", "import-results", str(case / "utf16.tsv"), "--scope", SCOPE)

    assert wide.exit_code == 0, wide.output
    assert call(tmp_path / "wide", "gather", "--report", "ddg", "--tsv").stdout.count("\n") > 1
    assert latin.exit_code == 1
    assert "UTF-8" in latin.stderr


def test_a_file_full_of_nul_bytes_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(real_case("16-zeroed-result"), folder)
    shutil.copy(real_case("single_vacuum_leg_RHFE.json.gz"), folder / "good.json.gz")

    refused = call(tmp_path / "lake", "import-results", str(folder), "--scope", SCOPE)
    skipped = call(tmp_path / "lake", "import-results", str(folder), "--scope", SCOPE, "--skip-bad")

    for done in (refused, skipped):
        assert "rbfe_a_complex_b_complex.json" in done.stderr
    assert refused.exit_code == 1
    assert skipped.exit_code == 0, skipped.output


def test_one_leg_alone_is_not_passed_off_as_an_edge(tmp_path: Path) -> None:
    call(tmp_path / "lake", "import-results", str(real_case("single_vacuum_leg_RHFE.json.gz")), "--scope", SCOPE)

    done = call(tmp_path / "lake", "gather", "--report", "ddg")

    assert done.exit_code == 0, done.output
    assert "only the vacuum leg exists" in done.stderr


def test_a_good_result_without_an_estimate_is_no_error(tmp_path: Path) -> None:
    imported = call(tmp_path / "lake", "import-results", str(real_case("MDProtocol_json_results.gz")), "--scope", SCOPE)
    done = call(tmp_path / "lake", "gather", "--report", "raw")

    assert (imported.exit_code, done.exit_code) == (0, 0), imported.output + done.output
    assert "Error" not in done.stdout


def test_the_free_energy_of_an_absolute_chain_is_openfes(tmp_path: Path) -> None:
    case = real_case("abfe_protocolresult_chain.json.gz")
    imported = call(tmp_path / "lake", "import-results", str(case), "--scope", SCOPE)
    done = call(tmp_path / "lake", "gather", "--report", "dg", "--tsv")

    assert imported.exit_code == 0, imported.output
    _, ligand = done.stdout.splitlines()
    # openfe 1.12: -19.741319 +/- 1.043624, which the result keeps; gather pools its repeats, whose legs are paired
    assert float(ligand.split("\t")[1]) == pytest.approx(-19.741319, abs=1e-6)
    assert 0.5 < float(ligand.split("\t")[2]) < 3.0
    own = call(tmp_path / "lake", "query", "select estimate_kcal_mol, uncertainty_kcal_mol from results", "--tsv")
    assert [float(cell) for cell in own.stdout.splitlines()[1].split("\t")] == pytest.approx(
        [-19.741319, 1.043624], abs=1e-6
    )


@pytest.mark.skipif(importlib.util.find_spec("openfe") is None, reason="runs openfe's Protocols, which conda-forge has")
@pytest.mark.timeout(1800)
def test_a_single_repeat_has_the_uncertainty_that_its_unit_states(tmp_path: Path) -> None:
    file = next(real_case("vac_one_repeat").glob("*phenol*.json"))
    command = ["run", str(file), "--scope", SCOPE, "--workers", "1"]

    assert call(tmp_path / "lake", *command).exit_code == 0

    raw = call(tmp_path / "lake", "gather", "--report", "raw", "--tsv").stdout.splitlines()
    assert 0.005 < float(raw[1].split("\t")[-1]) < 1.0


def test_the_next_command_works_as_it_is_printed(tmp_path: Path) -> None:
    edges, lake = real_case("02-equals-in-path") / "edges.csv", tmp_path / "my lake"
    words = ["import-results", str(edges), "--scope", SCOPE, "--network", "my network", "--lake", str(lake)]

    said = CliRunner().invoke(main, words).stderr
    (line,) = [line for line in said.splitlines() if line.startswith("next: alchemiscale-lake ")]
    done = CliRunner().invoke(main, shlex.split(line)[2:])

    assert done.exit_code == 0, done.output
    assert "'my network'" in line


def test_every_case_is_tested() -> None:
    real_case("README.md")
    tests = [path.read_text() for path in (Path(__file__).parents[1]).rglob("test_*.py")]
    unused = [
        case.name
        for case in CASES.iterdir()
        if case.name != "README.md" and not any(f'"{case.name}' in text for text in tests)
    ]

    assert unused == []


def test_a_folder_of_transformations_is_no_folder_of_results(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["import-results", str(real_case("vac_one_repeat")), "--scope", SCOPE, "--lake", str(tmp_path / "lake")]
    )

    assert done.exit_code == 1
    assert (
        "is JSON of another kind; networks and Transformations are stored with `alchemiscale-lake submit" in done.stderr
    )
    assert not (tmp_path / "lake").exists()
