"""Imports under a name that a network has already: added with a word, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import main
from tests.quickrun_files import QuickrunNetwork

Call = Callable[..., Result]
HEADER = "ligand_i,ligand_j,DDG (kcal/mol),uncertainty (kcal/mol)\n"


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--lake", str(tmp_path / "lake")])

    return run


def table(path: Path, edges: Sequence[str]) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEADER + "".join(f"{a},{b},1.0,0.1\n" for a, b in edges))
    return str(path)


def test_an_unrelated_table_of_the_same_file_name_is_refused(call: Call, tmp_path: Path) -> None:
    one, other = table(tmp_path / "1" / "edges.csv", ["ab", "bc"]), table(tmp_path / "2" / "edges.csv", ["xy"])
    call("import-results", one, "--scope", "o-c-p")

    for more in ((), ("--skip-bad",)):
        refused = call("import-results", other, "--scope", "o-c-p", *more)
        assert refused.exit_code == 1
        assert "o-c-p has a network of its name, 'edges', already, and they share no ligand" in refused.stderr
        assert "--network NAME, or add it to that network with --network edges" in refused.stderr
    assert len(call("gather", "--report", "raw").stdout.splitlines()) == 3


@pytest.mark.parametrize(("name", "n"), [("others", 0), ("edges", 1)])
def test_what_the_refusal_advises_works(call: Call, tmp_path: Path, name: str, n: int) -> None:
    one, other = table(tmp_path / "1" / "edges.csv", ["ab", "bc"]), table(tmp_path / "2" / "edges.csv", ["xy"])
    call("import-results", one, "--scope", "o-c-p")

    done = call("import-results", other, "--scope", "o-c-p", "--network", name)

    assert done.exit_code == 0, done.output
    added = "1 Transformation was added to the network 'edges', which o-c-p has already"
    assert done.stderr.count(added) == n


def test_a_table_that_grew_is_added_with_a_word(call: Call, tmp_path: Path) -> None:
    call("import-results", table(tmp_path / "edges.csv", ["ab"]), "--scope", "o-c-p")

    grown = call("import-results", table(tmp_path / "edges.csv", ["ab", "bc", "ca"]), "--scope", "o-c-p")
    again = call("import-results", str(tmp_path / "edges.csv"), "--scope", "o-c-p")

    assert (grown.exit_code, again.exit_code) == (0, 0), grown.output
    assert "2 Transformations were added to the network 'edges', which o-c-p has already" in grown.stderr
    assert "added" not in again.stderr


def test_two_unrelated_tables_of_one_name_in_one_import_are_refused(call: Call, tmp_path: Path) -> None:
    one, other = table(tmp_path / "1" / "edges.csv", ["ab"]), table(tmp_path / "2" / "edges.csv", ["xy"])

    refused = call("import-results", one, other, "--scope", "o-c-p")

    assert refused.exit_code == 1
    assert "this import makes a network of its name, 'edges', already" in refused.stderr
    assert not (tmp_path / "lake").exists()


def test_folders_of_one_name_are_refused_too_and_grown_ones_are_not(call: Call, tmp_path: Path) -> None:
    for folder, ends in (("1", ("ana", "bob")), ("2", ("xia", "yan"))):
        network = QuickrunNetwork([ends])
        for number, leg in enumerate(network.legs()):
            network.write(tmp_path / folder / "results", *leg, [(1.0, 0.1)], r0=f"{folder}{number}" * 19)
    first = call("import-results", str(tmp_path / "1" / "results"), "--scope", "o-c-p")

    refused = call("import-results", str(tmp_path / "2" / "results"), "--scope", "o-c-p")
    for path in (tmp_path / "2" / "results").iterdir():
        path.rename(tmp_path / "1" / "results" / path.name)
    grown = call("import-results", str(tmp_path / "1" / "results"), "--scope", "o-c-p")

    assert (first.exit_code, refused.exit_code, grown.exit_code) == (0, 1, 0), grown.output
    assert "a network of its name, 'results', already" in refused.stderr
    assert "2 Transformations were added to the network 'results'" in grown.stderr


def test_the_hint_to_skip_is_not_given_to_who_skips(call: Call, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    good = table(tmp_path / "edges.csv", ["ab"])

    alone = call("import-results", str(bad), "--scope", "o-c-p", "--skip-bad")
    both = call("import-results", str(bad), good, "--scope", "o-c-p")

    assert (alone.exit_code, both.exit_code) == (1, 1)
    assert "correct it:" in alone.stderr
    assert "--skip-bad" not in alone.stderr
    assert "1 of 2 files cannot be imported, and nothing was; correct it, or skip it with --skip-bad:" in both.stderr
