"""Nodes that represent no ligand."""

from __future__ import annotations

import pytest

from alchemiscale_lake.networks.measures import ABSENT, is_absent


@pytest.mark.parametrize(
    ("node", "absent"),
    [(ABSENT, True), (f"{ABSENT} in water", True), ("benzene", False), (f"{ABSENT}x", False), ("", False)],
)
def test_only_the_end_without_a_ligand_is_absent(node: str, absent: bool) -> None:
    assert is_absent(node) == absent
