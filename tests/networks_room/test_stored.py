"""From rows back to the text of a chain, byte for byte what arrived."""

from __future__ import annotations

import json

import polars as pl
import pytest

from alchemiscale_lake.errors import InvalidScopeError, NotFoundError
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.networks import parse_chain, read_chain_text
from alchemiscale_lake.networks.rows import object_rows
from alchemiscale_lake.schemas import TABLES
from tests.networks_room.chains import small_chain, text, thing
from tests.networks_room.test_facts import AT

SCOPE = Scope("org", "campaign", "project")


def table(chain_text, scope=SCOPE):
    objects = parse_chain(chain_text)
    rows = object_rows(objects, {obj.key: "digest" for obj in objects}, scope, AT, None)
    return pl.DataFrame(TABLES["gufe_objects"].table(rows)).lazy()


def test_a_network_comes_back_as_the_text_that_arrived():
    chain = [*small_chain(), ("x-1", thing("X"))]

    back = read_chain_text(table(text(chain)), SCOPE, "N-1")

    assert sorted(json.loads(back)) == sorted(json.loads(text(chain[:-1])))
    assert all(obj.text in text(chain) for obj in parse_chain(back.decode()))


def test_an_object_comes_back_with_what_it_needs_and_no_more():
    back = json.loads(read_chain_text(table(text(small_chain())), str(SCOPE), "S-a"))

    assert [key for key, _ in back] == ["L-a", "W-1", "S-a"]


def test_odd_texts_survive():
    odd = '[["k-1", {"__qualname__": "K", "big": 1e400, "n": NaN, "s": "\\ud800\\u0000é", "d": 0.10}]]'

    back = read_chain_text(table(odd), SCOPE, "k-1")

    assert back.decode() == odd


def test_other_scopes_and_missing_objects_are_not_found():
    objects = table(text(small_chain()))

    with pytest.raises(NotFoundError, match="Scope org-campaign-other holds no object N-1"):
        read_chain_text(objects, "org-campaign-other", "N-1")
    with pytest.raises(NotFoundError, match="object W-1, which T-ab needs, is missing"):
        read_chain_text(objects.filter(pl.col("key") != "W-1"), SCOPE, "T-ab")
    with pytest.raises(InvalidScopeError):
        read_chain_text(objects, "nonsense", "N-1")
