"""The models: what is rejected, and derived values."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from alchemiscale_lake.settings import (
    Burst,
    Limits,
    Monitors,
    Needs,
    Pool,
    Pools,
    QuarantineRules,
)
from tests.settings.refusals import refused

MODELS = [Pools, Pool, Limits, Burst, Monitors, Needs, QuarantineRules]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_explained(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_unknown_keys_are_refused(model: type[BaseModel]) -> None:
    assert "Extra inputs are not permitted" in refused(model, nonsense=1)


@pytest.mark.parametrize("name", ["3d", "a b", "a.b", "", "a/b", "x" * 64])
def test_names_become_names_of_jobs_and_objects(name: str) -> None:
    refused(Pools, pools={name: {"kind": "local"}})


def test_a_file_names_a_pool() -> None:
    refused(Pools, pools={})
    assert Pools.model_validate({"pools": {"a-1_b": {"kind": "local"}}}).pools["a-1_b"].kind == "local"


@pytest.mark.parametrize(
    ("shares", "fits"),
    [
        ({"a-*-*": 0.5, "b-*-*": 0.5}, True),
        ({"a-*-*": 1 / 3, "b-*-*": 1 / 3, "c-*-*": 1 / 3}, True),
        ({"a-*-*": 0.5, "b-*-*": 0.6}, False),
        ({"a-*-*": 1.0, "a-b-*": 0.6}, True),  # a part of a's own
        ({"a-*-*": 1.5}, False),
        ({"a-*-*": 0}, False),
        ({"a-*-*": True}, False),
    ],
)
def test_shares_are_parts_of_a_whole(shares: dict[str, float], fits: bool) -> None:
    keys = {"pools": {"here": {"kind": "local"}}, "shares": shares}
    if fits:
        assert Pools.model_validate(keys).shares == shares
    else:
        refused(Pools, **keys)
