"""Examples in docstrings run, in a folder with an empty lake named `lake`."""

import doctest
import importlib
import shutil
from pathlib import Path

import pytest

import alchemiscale_lake

PACKAGE = Path(alchemiscale_lake.__file__).parent
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for room in sorted(PACKAGE.iterdir())  # estimators and flows are links, which rglob does not follow
    for path in ([room] if room.suffix == ".py" else sorted(room.rglob("*.py")))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(
    name: str, empty_lake_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(empty_lake_folder, tmp_path / "lake")
    monkeypatch.chdir(tmp_path)

    outcome = doctest.testmod(importlib.import_module(name))

    assert outcome.failed == 0, "the report is in the captured output"
    assert outcome.attempted > 0
