"""`view`: a page written to a file or a pipe, for one small campaign, in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.cli import main
from alchemiscale_lake.report import ligand_structures
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, small_campaign

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("view") / "lake"
    small_campaign(folder)
    return folder


@pytest.fixture
def call(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    shutil.copytree(kept, tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["view", *arguments], env={"ALCHEMISCALE_LAKE": "lake"})


def test_a_page_is_written_with_estimates_up_to_date(call: Call, tmp_path: Path) -> None:
    result = call("tyk2", "--colour", "estimate", "-o", "tyk2.html")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "wrote tyk2.html (4 ligands, 4 edges)\n"
    page = (tmp_path / "tyk2.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert '"colour":"estimate"' in page
    assert '"as_of":"2' in page
    assert len(Lake.open("lake").table("network_estimates").scan().collect()) == 4


def test_what_is_not_drawn_is_told_in_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ligand_structures, "has_rdkit", lambda: False)

    result = call("tyk2", "-o", "-")

    assert result.exit_code == 0
    assert result.stderr == "ligands are shown by name alone: structures need RDKit, which is not installed\n"
    assert result.stdout.endswith("</html>")


def test_as_is_writes_nothing_into_the_lake(call: Call) -> None:
    result = call("tyk2", "--as-is", "-o", "-")

    assert result.exit_code == 0
    assert result.stdout.endswith("</html>")
    assert '"as_of":""' in result.stdout
    assert len(Lake.open("lake").table("network_estimates").scan().collect()) == 0


def test_the_file_is_called_after_the_network(call: Call, tmp_path: Path) -> None:
    result = call("idle", "--scope", "org-campaign-other")

    assert result.stderr == "wrote idle.html (2 ligands, 1 edge)\n"
    assert (tmp_path / "idle.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "no network has the name or ScopedKey 'nothing'"),
        ((), f"tyk2 --scope {SCOPE}"),
        (("tyk2", "--colour", "mood"), "'mood' is not one of"),
    ],
)
def test_mistakes_are_told(call: Call, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = call(*arguments)

    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert not list(tmp_path.glob("*.html"))


def test_gather_says_where_the_lasting_page_is(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(kept, tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "lake" / "plots" / SCOPE / "tyk2.html"

    gathered = CliRunner().invoke(main, ["gather", "tyk2", "--report", "ddg", "--lake", "lake"])

    assert gathered.exit_code == 0, gathered.stderr
    assert gathered.stderr.splitlines()[-1] == f"page: lake/plots/{SCOPE}/tyk2.html"
    assert "Tasks complete" in page.read_text(encoding="utf-8")
    page.unlink()
    as_is = CliRunner().invoke(main, ["gather", "tyk2", "--as-is", "--report", "ddg", "--lake", "lake"])
    assert (as_is.exit_code, page.exists()) == (0, False), "which writes nothing"
