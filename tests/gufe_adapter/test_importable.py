"""Check of importable classes, without importing them here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from alchemiscale_lake.gufe_adapter import missing_among

OURS = ("alchemiscale_lake.protocols.harmonic", "HarmonicProtocol")
GUFE = ("gufe.transformations.transformation", "Transformation")


def test_what_is_there_is_not_missing() -> None:
    assert missing_among([OURS, GUFE]) == {}
    assert missing_among([]) == {}


def test_what_is_missing_is_named_with_its_package_and_remedy() -> None:
    absent, renamed = ("not_a_package.protocols", "SomeProtocol"), ("gufe.protocols", "NoSuchProtocol")
    found = missing_among([GUFE, absent, renamed])
    assert found.keys() == {absent, renamed}
    assert "Protocol class SomeProtocol of package not_a_package cannot be imported here" in found[absent]
    assert "install not_a_package" in found[absent]
    assert "NoSuchProtocol" in found[renamed]


def test_a_package_is_imported_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_package.py").write_text("print('hello'); class_made_here = 1\nclass Light: pass\n")
    (tmp_path / "broken_package.py").write_text("import os; os._exit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert missing_among([("heavy_package", "Light")]) == {}
    assert missing_among([("heavy_package", "Heavy")]).keys() == {("heavy_package", "Heavy")}
    assert missing_among([("broken_package", "Any")]) == {}, "whoever runs it will see"
    assert "heavy_package" not in sys.modules
