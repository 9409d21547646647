"""Design files for tests of living networks: chains of gufe objects in a folder."""

from __future__ import annotations

import os
from pathlib import Path

from gufe import AlchemicalNetwork

from alchemiscale_lake.gufe_adapter import dumps_chain
from tests.example_networks import harmonic_transformation

#: Older than any age from which files are taken to be complete.
_LONG_AGO = 1_700_000_000


def design(folder: Path, name: str, *pairs: str, at: int = 0) -> Path:
    """Write a network of pairs such as `ab`; a later `at` is a later time of change."""
    edges = [harmonic_transformation(*pair, n_samples=20, n_windows=1) for pair in pairs]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(dumps_chain(AlchemicalNetwork(edges, name=path.stem)))
    return aged(path, at)


def aged(path: Path, at: int = 0) -> Path:
    os.utime(path, (_LONG_AGO + at, _LONG_AGO + at))
    return path
