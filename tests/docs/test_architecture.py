"""The pages about the code describe the code: rooms, modules, tables and tests."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from alchemiscale_lake.schemas import TABLES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "alchemiscale_lake"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def layers() -> list[set[str]]:
    """Return the rooms of the import contract, top first; rooms that may be missing are left out."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [each for each in contracts if each["name"] == "rooms: imports point down"]
    named = ({name.strip() for name in layer.split(":")} for layer in contract["layers"])
    return [rooms for layer in named if (rooms := {name for name in layer if (PACKAGE / name).is_dir()})]


def test_the_map_shows_the_rooms_in_the_order_of_the_import_contract() -> None:
    (text,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    first_cells = [re.split(r"\s{2,}", line)[0] for line in text.splitlines() if not line.startswith(" ")]
    shown = [set(cell.split(" | ")) for cell in first_cells if cell != "modules"]

    assert shown == layers()


def test_only_the_rooms_of_the_map_import_a_package() -> None:
    homes = {"prefect": {"flows", "flow_steps", "engines", "prefect_api"}, "dask": {"engines"}, "duckdb": {"query"}}
    homes |= {"deltalake": {"store"}, "obstore": {"store"}, "gufe": {"gufe_adapter", "protocols"}}
    for package, rooms in homes.items():
        imports = re.compile(rf"^\s*(?:import|from) {package}\b", re.MULTILINE)
        found = {
            path.relative_to(PACKAGE).parts[0]
            for room in PACKAGE.iterdir()
            for path in (room.rglob("*.py") if room.is_dir() else [room])
            if path.suffix == ".py" and imports.search(path.read_text())
        }
        assert found <= rooms, package


@pytest.mark.parametrize("page", [ROOT / "docs" / "architecture.md", *DECISIONS], ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    files = set(re.findall(r"`([a-z0-9_]+(?:/[a-z0-9_]+)*/[a-z0-9_]+\.py)`", text))
    places = (ROOT, PACKAGE, ROOT / "tests")

    assert [file for file in sorted(files) if not any((place / file).is_file() for place in places)] == []


def test_the_tables_that_the_lives_name_exist() -> None:
    lives = PAGE.partition("## The life of a Task")[2].partition("## What may be killed")[0]
    cells = [re.split(r" \| ", line)[-1] for line in lives.splitlines() if line.startswith("| ")]
    named = {name for cell in cells for name in re.findall(r"`([a-z_]+)`", cell)}

    assert len(named) > 15
    assert named <= TABLES.keys()
