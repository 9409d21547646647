"""Packages with plug-ins, installed for one test."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def thread_engine() -> str:
    """Return the module that docs/plug-ins.md shows."""
    page = (REPOSITORY / "docs/plug-ins.md").read_text()
    (module,) = re.findall(r"^```python[^\n]*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(module)


def install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str, entries: Mapping[str, Mapping[str, str]]
) -> None:
    """Install a package of one module.

    Parameters
    ----------
    folder : Path
        Where to install it; it becomes part of `sys.path`.
    monkeypatch : pytest.MonkeyPatch
    module, source : str
        Name and text of the module.
    entries : mapping
        Names and values of entry points, by group.
    """
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for group, named in entries.items()]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, module, raising=False)
    importlib.invalidate_caches()
