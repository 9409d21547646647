"""Reading keyed chains: every object's own text, its references, and what is wrong with a bad one."""

from __future__ import annotations

import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.errors import InvalidNetworkError
from alchemiscale_lake.networks.chain import canonical_json, closure, digest, index_chain, parse_chain, same_content
from tests.networks.chains import ref, small_chain, text, thing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.lists(st.tuples(st.text(), st.dictionaries(st.text(), JSON, max_size=4)), max_size=5),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_every_object_keeps_its_text(contents, indent, ascii_only):
    chain = [[key, fields | {"__qualname__": "Thing"}] for key, fields in contents if ":gufe-key:" not in str(fields)]

    objects = parse_chain(json.dumps(chain, indent=indent, ensure_ascii=ascii_only))

    assert [obj.key for obj in objects] == [key for key, _ in chain]
    assert [json.dumps(json.loads(obj.text)) for obj in objects] == [json.dumps(fields) for _, fields in chain]


def test_references_are_found_wherever_they_stand_and_named_once():
    fields = thing("A", one=ref("x-1"), many=[[ref("x-2")], {"deep": [ref("x-1")]}], told='{":gufe-key:": "x-3"}')

    (obj,) = parse_chain(text([("a-1", fields)]))

    assert obj.refers_to == ("x-1", "x-2")
    assert obj.qualname == "A"


@given(st.data())
def test_a_chain_cut_anywhere_is_refused_with_its_place(data):
    whole = text(small_chain())
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]

    with pytest.raises(InvalidNetworkError, match="truncated or damaged") as caught:
        parse_chain(cut, "net.json")

    assert caught.value.message.startswith("net.json: ")
    assert 0 <= caught.value.facts["byte"] <= len(cut)


def test_a_malformed_chain_names_line_column_byte_and_object():
    bad = '[["é-1", {"__qualname__": "A"}],\n ["b-1", {"__qualname__": "B", "x": nan}]]'

    with pytest.raises(InvalidNetworkError) as caught:
        parse_chain(bad)

    facts = caught.value.facts
    assert (facts["line"], facts["column"]) == (2, 37)
    assert facts["byte"] == len(bad[: bad.index("nan")].encode())
    assert "in object 2 (b-1)" in caught.value.message


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ('{"__qualname__": "A"}', "expected '\\['"),
        ('[["a-1", {"__qualname__": "A"}],]', "expected '\\['"),
        ('[["a-1", {"__qualname__": "A"}]] []', "there is text after"),
        ('[["a-1", {"__qualname__": "A"}, 1]]', "expected '\\]'"),
        ("[[1, {}]]", "must begin with its key"),
        ('[["a-1", []]]', "names the class"),
        ('[["a-1", {"__qualname__": 1}]]', "names the class"),
        ('[["a-1", {"__qualname__": "A", "x": {":gufe-key:": 1}}]]', "must be a string"),
        ('[["a-1", ' + "[" * 100_000 + "]]", "nested too deeply"),
        ('[["a-1", {"x": ' + "1" * 10_000 + "}]]", "digits"),
    ],
)
def test_an_invalid_chain_is_refused(bad, why):
    with pytest.raises(InvalidNetworkError, match=why):
        parse_chain(bad)


def test_one_key_with_two_contents_is_refused_and_with_one_content_taken_once():
    twice = parse_chain(text([("a-1", thing("A", x=math.nan)), ("a-1", thing("A", x=math.nan))]))
    spaced = parse_chain('[["a-1", {"__qualname__":"A", "x": NaN, "__module__": "gufe"}]]')
    other = parse_chain(text([("a-1", thing("A", x=2))]))

    assert list(index_chain([*twice, *spaced], "net")) == ["a-1"]
    with pytest.raises(InvalidNetworkError, match=r"two different objects have the key a-1"):
        index_chain([*twice, *other], "net")


def test_a_dangling_reference_names_who_refers():
    objects = parse_chain(text([("a-1", thing("A", name="ana", x=ref("b-1")))]))

    with pytest.raises(InvalidNetworkError, match=r"a-1 \('ana'\) refers to b-1"):
        index_chain(objects, "net")


@given(st.permutations(range(9)))
def test_the_closure_orders_dependencies_first_whatever_the_order(order):
    chain = small_chain()
    shuffled = parse_chain(text([chain[i] for i in order]))

    ordered = closure(index_chain(shuffled, "net"), ["N-1"], "net")

    seen: set[str] = set()
    for obj in ordered:
        assert set(obj.refers_to) <= seen
        seen.add(obj.key)
    assert ordered[-1].key == "N-1"
    assert len(ordered) == len(chain)


def test_the_closure_leaves_out_what_nothing_needs():
    chain = [("x-1", thing("X")), *small_chain()]

    ordered = closure(index_chain(parse_chain(text(chain)), "net"), ["N-1"], "net")

    assert "x-1" not in {obj.key for obj in ordered}


@pytest.mark.parametrize("loop", [["a-1", "a-1"], ["a-1", "b-1", "a-1"], ["a-1", "b-1", "c-1", "b-1"]])
def test_a_circle_of_references_is_refused(loop):
    chain = {key: thing("A", x=ref(needed)) for key, needed in itertools.pairwise(loop)}

    with pytest.raises(InvalidNetworkError, match="which refers back to it"):
        closure(index_chain(parse_chain(text(list(chain.items()))), "net"), ["a-1"], "net")


def test_a_long_chain_of_references_does_not_exhaust_the_stack():
    n = 5_000
    chain = [(f"a-{i}", thing("A", x=ref(f"a-{i + 1}")) if i < n else thing("A")) for i in range(n + 1)]

    ordered = closure(index_chain(parse_chain(text(chain)), "net"), ["a-0"], "net")

    assert [obj.key for obj in ordered] == [f"a-{i}" for i in range(n, -1, -1)]


def test_the_digest_does_not_follow_the_order_of_fields_or_spacing():
    assert digest({"a": 1.0, "b": [1, 2]}) == digest(json.loads('{ "b" : [1,2], "a": 1.00 }'))
    assert digest({"a": [1, 2]}) != digest({"a": [2, 1]})
    assert canonical_json({"b": 1, "a": None}) == '{"a":null,"b":1}'


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"x": 1, "metadata": {}, ":version:": 2, "__module__": "new.home"}, True),
        ({"x": 1, "box": None}, True),
        ({"x": 2}, False),
        ({}, False),
        ({"x": 1, "metadata": {"a": 1}}, False),
    ],
)
def test_versions_of_gufe_may_add_empty_fields_and_move_classes(other, same):
    mine = {"x": 1, ":version:": 1, "__module__": "old.home"}

    assert same_content(mine, other) is same
    assert same_content(other, mine) is same


def test_an_undefined_number_is_equal_to_itself_in_content():
    assert same_content({"box": [float("nan")]}, {"box": [float("nan")]})
