"""Content of a table is stored like any network."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alchemiscale_lake.ids import Scope
from alchemiscale_lake.networks.facts import transformation_rows
from alchemiscale_lake.networks.nested import ObjectPool
from alchemiscale_lake.networks.result_matching import described
from alchemiscale_lake.networks.table_objects import add_transformation


def test_a_transformation_is_known_by_network_ligands_and_phase() -> None:
    pool = ObjectPool()
    edge = ("tyk2", "a", "b", "complex")

    key = add_transformation(pool, "tyk2", edge, 0.5)

    assert add_transformation(pool, "tyk2", edge, 0.9) == key
    others = [("p38", edge), ("tyk2", ("tyk2", "b", "a", "complex")), ("tyk2", ("tyk2", "a", "b", "solvent"))]
    assert len({key, *(add_transformation(pool, network, other, None) for network, other in others)}) == 4


@pytest.mark.parametrize("phase", ["complex", "solvent", "vacuum"])
def test_facts_are_what_the_table_says(phase: str) -> None:
    pool = ObjectPool()
    key = add_transformation(pool, "tyk2", ("tyk2", "a", "b", phase), 0.5)

    (row,) = transformation_rows(described(pool.objects, [key]), Scope("o", "c", "p"), datetime.now(UTC))

    assert (row["phase"], row["ligand_a_name"], row["ligand_b_name"]) == (phase, "a", "b")
    assert (row["mapping_score"], row["name"]) == (0.5, f"a_b_{phase}")
    assert (row["environment"] is not None) == (phase == "complex")
