"""Nested dicts become the same objects with the same keys as in a keyed chain."""

from __future__ import annotations

import json
from typing import Any

from alchemiscale_lake.networks.nested import ObjectPool, gufe_token
from tests.quickrun_files import QuickrunNetwork
from tests.real_data import real_file


def expanded(chain: dict[str, dict[str, Any]], key: str) -> dict[str, Any]:
    """Return an object of a keyed chain with all its references written out."""

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            return (
                whole(chain[value[":gufe-key:"]]) if ":gufe-key:" in value else {k: whole(v) for k, v in value.items()}
            )
        return [whole(v) for v in value] if isinstance(value, list) else value

    return dict(whole(chain[key]))


def test_keys_are_those_that_openfe_wrote() -> None:
    chain = dict(json.loads(real_file("tyk2_network.json").read_text()))
    network = next(key for key in chain if key.startswith("AlchemicalNetwork"))
    pool = ObjectPool()

    added = pool.add(expanded(chain, network))

    assert added == network
    assert {key: obj.keyed_dict for key, obj in pool.objects.items()} == chain


def test_objects_come_after_what_they_refer_to() -> None:
    network = QuickrunNetwork([("a", "b")])
    pool = ObjectPool()

    key = pool.add(network.transformation("a", "b", "complex"))

    seen: set[str] = set()
    for obj in pool.objects.values():
        assert set(obj.refers_to) <= seen
        assert json.loads(obj.text) == obj.keyed_dict
        seen.add(obj.key)
    assert list(pool.objects)[-1] == key


def test_what_two_objects_share_is_one_object() -> None:
    network = QuickrunNetwork([("a", "b")])
    pool = ObjectPool()

    pool.add(network.system("a", "complex"))
    pool.add(network.system("b", "complex"))

    assert sum(obj.qualname == "ProteinComponent" for obj in pool.objects.values()) == 1


def test_a_key_that_is_given_stands() -> None:
    pool = ObjectPool()

    assert pool.add({"__qualname__": "Thing", "x": 1}, "Thing-known") == "Thing-known"
    assert pool.add({"__qualname__": "Thing", "x": 2}, "Thing-known") == "Thing-known"
    assert pool.objects["Thing-known"].keyed_dict["x"] == 1


def test_a_token_depends_on_content_but_not_on_versions() -> None:
    fields = {"__qualname__": "Thing", "x": 1, ":version:": 1}

    assert gufe_token(fields) == gufe_token({**fields, ":version:": 2})
    assert gufe_token(fields) != gufe_token({**fields, "x": 2})
