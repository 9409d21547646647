"""From rows back to the text of a chain, byte for byte as it arrived."""

from __future__ import annotations

import json
import random

import polars as pl
import pytest
import zstandard

from alchemiscale_lake.errors import DamagedError, InvalidScopeError, NotFoundError
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.networks import parse_chain, read_chain_text, stored_text
from alchemiscale_lake.networks.chain import digest
from alchemiscale_lake.networks.rows import object_rows
from alchemiscale_lake.schemas import TABLES
from tests.networks.chains import small_chain, text, thing
from tests.networks.test_facts import AT

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

    with pytest.raises(NotFoundError, match="Scope org-campaign-other has no object N-1"):
        read_chain_text(objects, "org-campaign-other", "N-1")
    with pytest.raises(NotFoundError, match="object W-1, needed by T-ab, is missing"):
        read_chain_text(objects.filter(pl.col("key") != "W-1"), SCOPE, "T-ab")
    with pytest.raises(InvalidScopeError):
        read_chain_text(objects, "nonsense", "N-1")


KEYED = {"__qualname__": "K", "atoms": [[i, 0.1 * i, "C"] for i in range(200)], "name": "ligand"}


@pytest.mark.parametrize("checksum", [True, False], ids=["with checksum", "as old lakes have them"])
def test_no_flip_in_a_stored_object_goes_unnoticed(checksum):
    chance, text_then = random.Random(7), json.dumps(KEYED).encode()
    packed = zstandard.ZstdCompressor(level=1, write_checksum=checksum).compress(text_then)
    assert stored_text(packed, digest(KEYED), "K-1") == text_then

    n_refused = 0
    for _ in range(3000):
        damaged = bytearray(packed)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        try:
            found = stored_text(bytes(damaged), digest(KEYED), "K-1 in Scope a-b-c")
        except DamagedError as e:
            n_refused += str(e).startswith("K-1 in Scope a-b-c in the lake is damaged")
        else:
            # bits that do not affect the content, such as the size of a window
            assert json.loads(found) == KEYED
    assert n_refused > 2900


def test_what_is_stored_has_a_checksum():
    packed = table(text(small_chain())).collect()["keyed_dict"]

    assert all(zstandard.get_frame_parameters(one).has_checksum for one in packed)
