"""Withdrawal of experimental values, by command and from Python; nothing is removed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake import withdraw_assays
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import NotFoundError
from alchemiscale_lake.flow_steps.campaigns import new_campaign, prepare_campaign
from alchemiscale_lake.importing.assays import import_assays
from alchemiscale_lake.importing.withdrawals import current_assays
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, small_campaign

Call = Callable[..., Result]
ME = Caller("me")


@pytest.fixture
def campaign_lake(tmp_path: Path) -> Lake:
    return small_campaign(tmp_path / "lake").lake


@pytest.fixture
def call(campaign_lake: Lake) -> Call:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": str(campaign_lake.local_path)})

    return run


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "exp.csv"
    path.write_text("ligand,value_kcal_mol\na,-9\nzz,-3\n")
    return str(path)


def experiment(result: Result) -> dict[str, str]:
    rows = csv.DictReader(io.StringIO(result.stdout), delimiter="\t")
    return {row["ligand"]: row.get("experiment (kcal/mol)") or "" for row in rows}


def test_a_withdrawn_value_is_no_longer_used_and_another_of_the_ligand_is_again(call: Call, file: str) -> None:
    call("assays", file, "--scope", SCOPE)
    with_it = call("gather", "tyk2")
    said = call("assays", "--scope", SCOPE, "--withdraw-all", "--source", "exp.csv", "--reason", "wrong batch")
    without = call("gather", "tyk2")

    assert experiment(with_it)["a"] == "-9.0"
    assert "2 experimental values of org-campaign-project withdrawn" in said.stderr
    assert experiment(without)["a"] == "-8.1"
    assert "matches no ligand" in with_it.stderr
    assert "matches no ligand" not in without.stderr


def test_the_warning_about_a_name_says_how_to_withdraw_it_and_that_works(call: Call, file: str) -> None:
    warned = call("assays", file, "--scope", SCOPE).stderr
    command = warned.rsplit("alchemiscale-lake ", 1)[1].split()

    done = call(*command)

    assert command == ["assays", "--scope", SCOPE, "--withdraw", "zz"]
    assert done.exit_code == 0
    assert "zz" not in call("gather", "tyk2").stderr


def test_a_ligand_without_values_has_no_experiment_in_any_report(call: Call) -> None:
    call("gather", "tyk2")
    call("assays", "--scope", SCOPE, "--withdraw", "a", "--withdraw", "b")
    call("gather", "tyk2")

    assert experiment(call("gather", "tyk2")) == {"a": "", "b": "", "c": "-5.2", "d": ""}
    compared = call("compare", "tyk2")
    assert (compared.exit_code, "no two ligands" in compared.stderr) == (1, True)


def test_values_in_use_are_listed(call: Call, file: str) -> None:
    call("assays", file, "--scope", SCOPE)
    listed = call("assays", "--scope", SCOPE, "--list", "--source", "exp.csv")
    call("assays", "--scope", SCOPE, "--withdraw-all", "--source", "exp.csv")
    left = call("assays", "--scope", SCOPE, "--list")
    none = call("assays", "--scope", SCOPE, "--list", "--source", "exp.csv")

    assert [line.split("\t")[:2] for line in listed.stdout.splitlines()[1:]] == [["a", "-9.0"], ["zz", "-3.0"]]
    assert len(left.stdout.splitlines()) == 4
    assert none.stderr == "org-campaign-project has no such experimental value\n"


def test_importing_again_brings_values_back_any_number_of_times(campaign_lake: Lake, file: str) -> None:
    for _ in range(3):
        assert import_assays(campaign_lake, file, SCOPE, caller=ME) == 2
        assert import_assays(campaign_lake, file, SCOPE, caller=ME) == 0
        assert withdraw_assays(campaign_lake, SCOPE, source="exp.csv", caller=ME) == 2
        assert "exp.csv" not in current_assays(campaign_lake, SCOPE)["source"].to_list()


def test_a_resumed_run_leaves_withdrawn_values_withdrawn(
    campaign_lake: Lake, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    import_assays(campaign_lake, file, SCOPE, caller=ME)
    withdraw_assays(campaign_lake, SCOPE, ["a"], source="exp.csv", caller=ME)
    network = f"AlchemicalNetwork-tyk2-{SCOPE}"

    prepare_campaign(
        campaign_lake,
        new_campaign(campaign_lake, SCOPE, network=network, name="tyk2", tasks_per_transformation=0, assays=file),
    )

    assert current_assays(campaign_lake, SCOPE).filter(ligand="a")["value_kcal_mol"].to_list() == [-8.1]
    assert "1 experimental value stays withdrawn" in caplog.text


def test_an_imported_table_says_what_stays_withdrawn(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "edges.csv"
    table.write_text("ligand,exp DG (kcal/mol)\na,-9\nb,-8\n")
    call("import-results", str(table), "--scope", SCOPE)
    call("assays", "--scope", SCOPE, "--withdraw", "a")

    again = call("import-results", str(table), "--scope", SCOPE)

    assert "1 experimental value stays withdrawn" in again.stderr


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--withdraw", "aa"), 1, "has no experimental value of ligand 'aa'"),
        (("--withdraw", "a", "--kind", "hydration"), 1, "no experimental value of kind hydration of ligand 'a'"),
        (
            ("--withdraw-all", "--source", "papers"),
            1,
            "of source 'papers', so nothing was withdrawn; did you mean 'a paper'?",
        ),
        (("--withdraw-all",), 2, "--withdraw-all needs --source"),
        ((), 2, "give a FILE to import, or one of --list"),
        (("--list", "--withdraw", "a"), 2, "give a FILE to import, or one of --list"),
    ],
)
def test_mistakes_withdraw_nothing(call: Call, options: tuple[str, ...], code: int, says: str) -> None:
    done = call("assays", "--scope", SCOPE, *options)

    assert (done.exit_code, says in done.stderr) == (code, True), done.stderr
    assert len(call("assays", "--scope", SCOPE, "--list").stdout.splitlines()) == 4


def test_from_python_nothing_is_withdrawn_without_a_choice(campaign_lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="name the ligands, or the source"):
        withdraw_assays(campaign_lake, SCOPE, caller=ME)


@pytest.mark.parametrize("scope", ["org-campaign-projects", "org-campaigns-project"])
def test_a_misspelt_scope_is_refused(call: Call, file: str, scope: str) -> None:
    done = call("assays", file, "--scope", scope)

    assert done.exit_code == 1
    assert f"there is no network in Scope {scope}; did you mean 'org-campaign-project'?" in done.stderr
    assert len(call("query", "from assays").stdout.splitlines()) == 4
