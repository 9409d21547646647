"""The commands of a campaign, with a lake in unusual places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.store import Location, ObjectStore
from tests.plain import plain_chain

NAME = "a=b/scope=x/ #?&+'\u00e9 \U0001f9ea 100%;*{}~\""
EDGES = "ligand_i,ligand_j,phase,repeat,value_kcal_mol,uncertainty_kcal_mol\na,b,complex,0,1,.1\na,b,solvent,0,2,.1\n"


def said(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_campaign_in_an_awkward_place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    root = f"{tmp_path}/there" if kind == "folder" else request.getfixturevalue("bucket").removesuffix("/a/prefix")
    lake, file, edges = f"{root}/{NAME}/lake", tmp_path / "network =#?.json", tmp_path / "edges =#?.csv"
    file.write_text(json.dumps(plain_chain([("a", "b")])))
    edges.write_text(EDGES)
    output = tmp_path / "out =#?%20.tsv"

    said("init", "--lake", lake)
    network = said("submit", str(file), "--scope", "o-c-p", "-t", "2", "--lake", lake).strip()
    said("import-results", str(edges), "--scope", "o-c-q", "--lake", lake)
    said("gather", "--scope", "o-c-q", "--report", "findings", "--lake", lake, "-o", str(output))

    assert output.read_text()
    values = "select count(*) as n from latest_edges where value_kcal_mol is not null"
    assert said("query", values, "--lake", lake) == "n\n1\n"
    ask = "select count(*) as n from tasks where scope = 'o-c-p'"
    assert said("query", ask, "--lake", lake) == "n\n2\n"
    assert "waiting\t2" in said("status", network, "--lake", lake)
    said("maintain", "--lake", lake)
    assert said("query", ask, "--lake", lake) == "n\n2\n"
    # nothing was written anywhere else
    keys = ObjectStore(Location.parse(root)).list("")
    assert {key.partition("/lake/")[0] for key in keys} == {NAME}
