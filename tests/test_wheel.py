"""The built packages: what the wheel and the source distribution contain, and the wheel as users have it installed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the source distribution, and the wheel that is built from it, as for users."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), "-t"]
    said([*build, "sdist"], ROOT)
    (path,) = folder.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    said([*build, "wheel"], folder / path.name.removesuffix(".tar.gz"))
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a new environment with the wheel; its dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install", "--quiet"]
    said([*pip, "--no-deps", "--no-index", str(wheel)], folder)
    here = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    # a path file adds the folder of the dependencies, but not the editable installation that its own path files name
    (Path(here) / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python


@pytest.fixture(scope="module")
def users_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working directory with folders of the names that ours have in the checkout."""
    folder = tmp_path_factory.mktemp("user")
    for name in ("flows", "estimators"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("MINE = True\n")
    return folder


def said(command: list[str], folder: Path) -> str:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{command}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    return done.stdout


def test_the_wheel_claims_one_import_name_and_has_every_module(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"alchemiscale_lake"}
    assert "alchemiscale_lake/py.typed" in names
    tracked = said(["git", "ls-files", "alchemiscale_lake", "flows", "estimators"], ROOT).split()
    sources = {file if file.startswith("alchemiscale_lake/") else f"alchemiscale_lake/{file}" for file in tracked}
    sources -= {"alchemiscale_lake/flows", "alchemiscale_lake/estimators"}  # the links
    assert sources - names == set()


def test_the_source_distribution_has_what_tests_and_demo_need(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    needed = {"Makefile", "constraints.txt", "pyproject.toml", "CHANGELOG.md", "tests/conftest.py"}
    needed |= {
        "examples/freesolv.csv",
        "deployments/prefect.yaml",
        "docs/tables.md",
        "alchemiscale_lake/flows/dispatch.py",
    }
    assert needed - names == set()


@pytest.mark.parametrize("name", ["flows", "estimators"])
def test_the_installed_package_leaves_other_names_free(installed: Path, tmp_path: Path, name: str) -> None:
    code = f"""
import importlib, pathlib, alchemiscale_lake
ours = importlib.import_module("alchemiscale_lake.{name}")
assert pathlib.Path(ours.__file__).is_relative_to({str(installed.parents[1])!r}), ours.__file__
try:
    importlib.import_module("{name}")
except ModuleNotFoundError:
    print("free")
"""
    assert said([str(installed), "-c", code], tmp_path) == "free\n"


def test_folders_of_the_user_and_ours_do_not_meet(installed: Path, users_folder: Path) -> None:
    code = """
import flows, estimators, alchemiscale_lake.estimators as ours
from alchemiscale_lake.flows.train_cost_model import train_cost_model
assert flows.MINE and estimators.MINE and ours.solve_network
"""
    said([str(installed), "-c", code], users_folder)


def test_the_command_runs_beside_folders_of_the_user(installed: Path, users_folder: Path) -> None:
    command = str(installed.parent / "alchemiscale-lake")

    assert "Commands:" in said([command, "--help"], users_folder)
    said([command, "init", "--lake", "lake"], users_folder)
    query = [command, "query", "select count(*) as n from networks", "--lake", "lake", "-o", "answer.csv"]
    said(query, users_folder)
    assert (users_folder / "answer.csv").read_text() == "n\n0\n"
