"""Diameters of solutes, from coordinates as gufe writes them."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pytest

from alchemiscale_lake.networks import read_network
from alchemiscale_lake.networks.extents import diameter_nm
from tests.real_data import real_file


def _npy(values: Any, dtype: str = "<f8") -> str:
    file = io.BytesIO()
    np.save(file, np.asarray(values, dtype=dtype))
    return file.getvalue().decode("latin-1")


_LINE = _npy([[0.0, 0.0, 0.0], [30.0, 0.0, 0.0]])


def test_boxes_of_published_proteins() -> None:
    with real_file("openfe2024_l40s_throughput.csv").open(newline="") as file:
        boxes = {int(row["protein_pdb_atoms"]): float(row["box_nm"]) for row in csv.DictReader(file)}
    network = read_network(real_file("jacs_network.json.zst"))
    proteins = [o.keyed_dict for o in network.objects.values() if o.qualname == "ProteinComponent"]

    found = {len(protein["atoms"]): diameter_nm([protein]) for protein in proteins}

    assert len(found) == 8
    assert {n: round((diameter or 0.0) + 1.2, 3) for n, diameter in found.items()} == {n: boxes[n] for n in found}


def test_components_together_are_as_wide_as_they_lie_apart() -> None:
    other = {"conformers": [_npy([[60.0, 0.0, 0.0]])]}

    assert diameter_nm([{"conformers": [_LINE]}]) == pytest.approx(3.0)
    assert diameter_nm([{"conformers": [_LINE]}, other]) == pytest.approx(6.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"conformer": [_LINE, {}]},
        {"conformers": [_npy([[0, 0, 0], [30, 0, 0]], ">f8")]},
        {"conformers": [_npy([[0, 0, 0], [30, 0, 0]], "<f4"), "another"]},
    ],
)
def test_every_generation_of_gufe_is_read(fields: dict[str, Any]) -> None:
    assert diameter_nm([fields]) == pytest.approx(3.0)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"conformers": []},
        {"conformers": None, "conformer": 7},
        {"conformers": ["no array"]},
        {"conformers": [_LINE[:-1]]},
        {"conformers": [_LINE.replace("(2, 3)", "(9, 3)")]},
        {"conformers": ["é€"]},
        {"conformers": [_npy([[np.nan, 0.0, 0.0]])]},
        {"conformers": [_npy([1.0, 2.0, 3.0])]},
        {"conformers": [_npy(np.zeros((0, 3)))]},
        {"conformers": [_npy([["a", "b", "c"]], "U1")]},
    ],
)
def test_invalid_coordinates_are_unknown(fields: dict[str, Any]) -> None:
    assert diameter_nm([fields]) is None
    assert diameter_nm([{"conformers": [_LINE]}, fields]) is None
    assert diameter_nm([]) is None
