"""Notebooks run without an error in any cell: in marimo and in Jupyter, on a busy lake and on an empty one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from alchemiscale_lake.report.network_view import NetworkPage
from alchemiscale_lake.report.notebook import ShownFigure
from alchemiscale_lake.report.round_page import RoundPage
from alchemiscale_lake.store import Lake
from tests.example_campaign import N_REPEATS, ligands, pairs

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.py"))

#: Expected outputs for the campaign in progress, by kind.
SHOWN: dict[str, dict[type, int]] = {
    "compare_with_experiment": {ShownFigure: 1, NetworkPage: 1},
    "cost_and_throughput": {ShownFigure: 2},
    "explore_lake": {NetworkPage: 1},
    "living_network": {RoundPage: 1, NetworkPage: 1},
    "watch_campaign": {ShownFigure: 1, NetworkPage: 1},
}


def run(name: str, lake: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], dict[str, Any]]:
    """Run a notebook as a script would; an error in any cell is raised."""
    monkeypatch.setenv("ALCHEMISCALE_LAKE", str(lake))
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    outputs, defined = module.app.run()
    return list(outputs), dict(defined)


def test_these_are_all() -> None:
    assert sorted(SHOWN) == NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_cell_runs_and_shows_what_it_is_for(
    name: str, example_lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs, _ = run(name, example_lake, monkeypatch)

    assert {kind: sum(isinstance(o, kind) for o in outputs) for kind in SHOWN[name]} == SHOWN[name]
    assert all(len(o) for o in outputs if type(o).__name__ == "DataFrame"), "no table is empty"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_an_empty_lake_is_not_an_error(name: str, empty_lake_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, _ = run(name, empty_lake_folder, monkeypatch)

    assert outputs


def test_numbers_are_those_of_the_campaign(example_lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, watched = run("watch_campaign", example_lake, monkeypatch)
    _, compared = run("compare_with_experiment", example_lake, monkeypatch)

    assert watched["n_tasks"] == (len(pairs()) - 2) * 2 * N_REPEATS
    measured = Lake.open(str(example_lake)).table("assays").scan().collect()["ligand"]
    assert set(compared["panels"]["ΔG"]["label"]) == set(measured) < set(ligands())


def test_the_lake_may_be_named_on_the_command_line(example_lake: Path, tmp_path: Path) -> None:
    script = [sys.executable, str(FOLDER / "explore_lake.py"), "--lake", str(example_lake)]
    environment = {key: value for key, value in os.environ.items() if key != "ALCHEMISCALE_LAKE"}

    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    without = subprocess.run(script[:2], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert without.returncode != 0
    assert "there is no lake at " in without.stderr


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_jupyter_runs_it_too(name: str, example_lake: Path, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.ipynb"
    export = [sys.executable, "-m", "marimo", "export", "ipynb", str(FOLDER / f"{name}.py"), "-o", str(file)]
    subprocess.run(export, check=True, capture_output=True)
    notebook = nbformat.read(file, as_version=4)
    environment = {**os.environ, "ALCHEMISCALE_LAKE": str(example_lake), "IPYTHONDIR": str(tmp_path / "ipython")}

    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    client.execute(env=environment)

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = [o["data"].get("text/html", "") for o in outputs if o["output_type"] == "execute_result"]
    assert sum(page.startswith("<img alt=") for page in pages) == SHOWN[name].get(ShownFigure, 0)
    n_frames = SHOWN[name].get(NetworkPage, 0) + SHOWN[name].get(RoundPage, 0)
    assert sum(page.startswith("<iframe sandbox=") for page in pages) == n_frames
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert all("text/html" in o["data"] for o in outputs if o["output_type"] == "execute_result")


def test_cells_are_in_marimos_own_form() -> None:
    check = [sys.executable, "-m", "marimo", "check", "--strict", *(str(FOLDER / f"{name}.py") for name in NOTEBOOKS)]

    done = subprocess.run(check, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
