"""Networks that can be stored, and those that are rejected by name."""

from __future__ import annotations

import pytest

from alchemiscale_lake.errors import InvalidNetworkError
from alchemiscale_lake.networks.chain import parse_chain
from alchemiscale_lake.networks.network import network_of, states_of
from tests.networks.chains import network, ref, small_chain, system, text, thing, transformation
from tests.real_data import real_file


def build(chain, roots=("N-1",), **options):
    return network_of(parse_chain(text(chain)), list(roots), "net.json", **options)


def test_a_network_knows_its_members_and_holds_dependencies_first():
    net = build(small_chain())

    assert (net.key, net.name) == ("N-1", "net")
    assert (net.transformations, net.systems) == (("T-ab",), ("S-a", "S-b"))
    assert list(net.objects)[-1] == "N-1"


def test_edges_bring_their_states_though_the_nodes_leave_them_out():
    net = build(small_chain(N_1=network([], ["T-ab", "T-ab"])))

    assert (net.transformations, net.systems) == (("T-ab",), ("S-a", "S-b"))


def test_a_non_transformation_has_one_state():
    sampled = thing("NonTransformation", system=ref("S-a"), protocol=ref("P-1"), name="sampled")
    net = build(small_chain(T_a=sampled, N_1=network([], ["T-a"])))

    assert net.systems == ("S-a",)
    assert states_of(net.objects["T-a"]) == ("S-a", None)


BAD = {
    "empty": ({"N_1": network(["S-a"], [])}, "N-1 cannot be stored: it has no Transformations"),
    "edge is a system": ({"N_1": network([], ["S-a"])}, "S-a cannot be stored: it is a ChemicalSystem, but an edge"),
    "node is a ligand": ({"N_1": network(["L-a"], ["T-ab"])}, "L-a cannot be stored: it is a SmallMoleculeComponent"),
    "edge is no key": (
        {"N_1": thing("AlchemicalNetwork", edges=[1], nodes=[])},
        "entry 1 of its edges is not a gufe",
    ),
    "to itself": (
        {"T_ab": transformation("S-a", "S-a", name="loop")},
        "'loop' transforms the ChemicalSystem S-a into itself",
    ),
    "to its copy": (
        {"S_b": system("ana_solvent", ligand="L-a", solvent="W-1")},
        "transforms the ChemicalSystem S-a into",
    ),
    "state is no key": (
        {"T_ab": transformation("S-a", "S-b") | {"stateB": None}},
        "its states and its protocol must be",
    ),
    "protocol is no key": ({"T_ab": transformation("S-a", "S-b") | {"protocol": "P-1"}}, "its states and its protocol"),
    "components are no keys": ({"S_b": thing("ChemicalSystem", components={"a": 1})}, "S-b cannot be stored"),
    "dangling": (
        {"T_ab": transformation("S-a", "S-c", name="ana_bob")},
        r"T-ab \('ana_bob'\) refers to S-c, which is not",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_stored_is_refused_by_name(case):
    changes, why = BAD[case]

    with pytest.raises(InvalidNetworkError, match=why) as caught:
        build(small_chain(**changes))

    assert caught.value.message.startswith("net.json: ")


def test_a_key_that_names_no_class_is_refused():
    chain = [(key if key != "N-1" else "network", content) for key, content in small_chain()]

    with pytest.raises(InvalidNetworkError, match="does not have the form <class>-<token>"):
        build(chain, ["network"])


def test_transformations_become_a_network_whose_key_follows_content_and_name():
    chain = small_chain()[:-1]

    net = build(chain, ["T-ab"], name="mine")

    assert (net.name, net.transformations, net.systems) == ("mine", ("T-ab",), ("S-a", "S-b"))
    assert net.key == build(reversed_but_whole(chain), ["T-ab", "T-ab"], name="mine").key
    assert net.key != build(chain, ["T-ab"], name="other").key


def reversed_but_whole(chain):
    return [*chain[::-1]]


def test_transformations_of_openfe_get_the_network_that_gufe_itself_would_make():
    *parts, whole = parse_chain(real_file("tyk2_network.json").read_text())

    edges = [obj.key for obj in parts if obj.qualname == "Transformation"]
    net = network_of(parts, edges, "parts", name="rbfe")

    assert net.key == whole.key
    assert net.objects[net.key].keyed_dict == whole.keyed_dict


def test_something_else_is_refused_by_its_class():
    with pytest.raises(InvalidNetworkError, match="S-a cannot be stored: it is a ChemicalSystem, neither"):
        build(small_chain(), ["S-a"])
