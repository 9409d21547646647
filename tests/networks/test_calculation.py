"""Identity of calculations: names, metadata, versions and forms do not change it, what is computed does."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.networks import parse_chain
from alchemiscale_lake.networks.calculation import Calculations
from tests.networks.chains import Chain, molecule, ref, small_chain, solvent, system, thing
from tests.real_data import real_file

DATA = Path(__file__).parents[1] / "data"
Quantity = dict[str, Any]


def identity(chain: Chain, key: str = "T-ab") -> str:
    objects = {obj.key: obj for obj in parse_chain(json.dumps(chain))}
    return Calculations(objects).of(objects[key])


def changed(key: str, change: Callable[[dict[str, Any]], object]) -> Chain:
    """Return `small_chain` with one object changed in place."""
    chain = copy.deepcopy(small_chain())
    change(dict(chain)[key])
    return chain


def with_settings(**settings: Any) -> str:
    return identity(small_chain(P_1=thing("SomeProtocol", "some.where", settings=settings)))


def quantity(magnitude: Any, unit: str, **fields: Any) -> Quantity:
    return {"magnitude": magnitude, "unit": unit, ":is_custom:": True, "pint_unit_registry": "openff_units", **fields}


def rekeyed(chain: Chain, tokens: dict[str, str]) -> Chain:
    """Return a chain with other gufe keys."""
    text = json.dumps(chain)
    for key, _ in chain:
        text = text.replace(json.dumps(key), json.dumps(tokens[key]))
    return [(key, fields) for key, fields in json.loads(text)]


def shuffled(value: Any, draw: Callable[[Any], Any]) -> Any:
    """Return JSON data with the fields of every dict in another order."""
    if isinstance(value, dict):
        return {name: shuffled(value[name], draw) for name in draw(st.permutations(list(value)))}
    return [shuffled(item, draw) for item in value] if isinstance(value, list) else value


def as_floats(value: Any) -> Any:
    """Return JSON data with every integer as a float."""
    if isinstance(value, bool) or not isinstance(value, (int, dict, list)):
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, dict):
        return {name: as_floats(item) for name, item in value.items()}
    return [as_floats(item) for item in value]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text("abc", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner),
    max_leaves=6,
)
labels = st.none() | st.text(max_size=8)


@given(labels, labels, st.dictionaries(st.text(max_size=5), json_values), st.data())
def test_labels_metadata_versions_keys_and_order_do_not_matter(
    name: str | None, state_name: str | None, metadata: dict[str, Any], data: st.DataObject
) -> None:
    chain = copy.deepcopy(small_chain())
    for key, fields in chain:
        fields |= {":version:": data.draw(st.integers(1, 3)), "__module__": data.draw(st.sampled_from(["a", "b.c"]))}
        if key in ("T-ab", "S-a", "S-b"):
            fields |= {"name": name if key == "T-ab" else state_name, "metadata": metadata}
    names = {key: f"{key[0]}-{i}{data.draw(st.text('01', max_size=3))}" for i, (key, _) in enumerate(chain)}
    other = shuffled(rekeyed(chain, names), data.draw)

    assert identity(other, names["T-ab"]) == identity(small_chain())


@given(json_values, json_values, st.data())
def test_settings_are_the_same_if_they_are_equal_as_numbers(one: Any, other: Any, data: st.DataObject) -> None:
    assert with_settings(x=one) == with_settings(x=as_floats(shuffled(one, data.draw)))
    # True == 1 in Python, but not in settings
    same = json.dumps(as_floats(one), sort_keys=True) == json.dumps(as_floats(other), sort_keys=True)
    if "-0.0" not in json.dumps([one, other]):
        assert (with_settings(x=one) == with_settings(x=other)) == same


@pytest.mark.parametrize(
    "change",
    [
        ("P-1", lambda fields: fields["settings"].update(b=2)),
        ("P-1", lambda fields: fields["settings"].update(b=True)),
        ("P-1", lambda fields: fields["settings"].update(c=None)),
        ("P-1", lambda fields: fields["settings"]["a"].append(2.5)),
        ("P-1", lambda fields: fields.update(__qualname__="OtherProtocol")),
        ("M-1", lambda fields: fields["componentA_to_componentB"].update({"1": 2})),
        ("M-1", lambda fields: fields.update(annotations='{"restrained": [1, 2]}')),
        ("L-a", lambda fields: fields["molprops"].update({"ofe-name": "anna"})),
        ("L-a", lambda fields: fields["atoms"].reverse()),
        ("L-b", lambda fields: fields["atoms"][0].__setitem__(2, 0)),
        ("W-1", lambda fields: fields.update(ion_concentration="0.2 molar")),
        ("W-1", lambda fields: fields.update(neutralize=False)),
        ("S-a", lambda fields: fields["components"].pop("solvent")),
        ("S-a", lambda fields: fields["components"].update(cofactor=ref("L-b"))),
        ("S-a", lambda fields: fields.update(box_vectors=[1, 2, 3])),
        ("T-ab", lambda fields: fields.update(mapping=None)),
        ("T-ab", lambda fields: fields.update(stateA=ref("S-b"), stateB=ref("S-a"))),
        ("T-ab", lambda fields: fields.update(__qualname__="OtherTransformation")),
    ],
)
def test_what_is_computed_matters(change: tuple[str, Callable[[dict[str, Any]], object]]) -> None:
    assert identity(changed(*change)) != identity(small_chain())


@pytest.mark.parametrize(
    "mapping", [[ref("M-1")], {"ligand": ref("M-1")}], ids=["a list of one", "a dict, as in gufe 0.4"]
)
def test_a_mapping_is_the_same_however_it_is_given(mapping: Any) -> None:
    assert identity(changed("T-ab", lambda fields: fields.update(mapping=mapping))) == identity(small_chain())


@pytest.mark.parametrize("none", [None, [], {}])
def test_no_mapping_is_the_same_however_it_is_written(none: Any) -> None:
    without = identity(changed("T-ab", lambda fields: fields.pop("mapping")))
    assert identity(changed("T-ab", lambda fields: fields.update(mapping=none))) == without


@pytest.mark.parametrize("annotations", ["{}", '{"score": 0.9}', None])
def test_the_score_of_a_mapping_does_not_matter(annotations: str | None) -> None:
    assert identity(changed("M-1", lambda fields: fields.update(annotations=annotations))) == identity(
        changed("M-1", lambda fields: fields.update(annotations='{"score": 0.5}'))
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (quantity(0.9, "nanometer"), quantity(9, "angstrom")),
        (quantity(9.0, "angstrom"), {"magnitude": 0.9, "unit": "nm"}),
        (quantity(4, "femtosecond"), quantity(0.004, "picosecond")),
        (quantity(1, "1 / picosecond"), quantity(1.0, "1/ps")),
        (quantity(1, "atmosphere"), quantity(1.01325, "bar")),
        (quantity([1, 2.0], "nanometer"), quantity([10, 20], "angstrom")),
        (quantity(5, "furlong / fortnight"), quantity(5.0, "furlong/fortnight")),
        (quantity(150, "millimolar"), "0.15 molar"),
        ("1.0 / picosecond", "1 1/ps"),
        ("1e-1 nm", "1 angstrom"),
    ],
)
def test_quantities_have_one_form(one: Any, other: Any) -> None:
    assert with_settings(x=one) == with_settings(x=other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (quantity(0.9, "nanometer"), quantity(0.9, "angstrom")),
        (quantity(0.9, "nanometer"), 0.9),
        (quantity(5, "furlong"), quantity(5, "nanometer")),
        (quantity(float("nan"), "nanometer"), quantity(1, "nanometer")),
        (quantity({"bytes": "00"}, "nanometer"), quantity({"bytes": "00"}, "angstrom")),
        ("5", 5),
        ("2 ligands", "2.0 ligands"),
        ("1", 1),
        (1, True),
        (0, None),
    ],
)
def test_other_values_stay_different(one: Any, other: Any) -> None:
    assert with_settings(x=one) != with_settings(x=other)


def test_a_nontransformation_is_its_system_and_protocol() -> None:
    def sampled(**fields: Any) -> str:
        return identity(small_chain(T_ab=thing("NonTransformation", **{"protocol": ref("P-1"), **fields})))

    assert sampled(system=ref("S-a"), name="x") == sampled(system=ref("S-a"), name=None, metadata={"a": 1})
    assert sampled(system=ref("S-a")) != sampled(system=ref("S-b"))


def test_a_ligand_in_two_environments_is_two_calculations() -> None:
    complex_ = small_chain(S_a=system(ligand="L-a"), S_b=system(ligand="L-b"))
    assert identity(complex_) != identity(small_chain())
    assert identity(small_chain(L_a=molecule("ana", charge=1), W_1=solvent())) != identity(small_chain())


@pytest.mark.parametrize("name", ["tyk2_network.json", "jacs_network.json.zst"])
def test_no_two_transformations_of_published_networks_are_taken_for_one(name: str) -> None:
    data = real_file(name).read_bytes()
    text = zstandard.ZstdDecompressor().decompressobj().decompress(data) if name.endswith(".zst") else data
    objects = {obj.key: obj for obj in parse_chain(text.decode())}
    transformations = [obj for obj in objects.values() if "protocol" in obj.keyed_dict]
    known = Calculations(objects)

    assert len({known.of(obj) for obj in transformations}) == len(transformations) > 1


def test_both_generations_of_gufe_write_the_same_calculations() -> None:
    """The network of `harmonic_network(3, seed=1)`, written by gufe 0.4 and 1.12: no key is the same."""
    written = [parse_chain((DATA / f"harmonic-gufe-{version}.json").read_text()) for version in ("0.4", "1.12")]
    keys: list[set[str]] = []
    identities: list[set[str]] = []
    for objects in ({obj.key: obj for obj in chain} for chain in written):
        known = Calculations(objects)
        keys.append(set(objects))
        identities.append({known.of(obj) for obj in objects.values() if obj.qualname == "Transformation"})

    assert not keys[0] & keys[1]
    assert identities[0] == identities[1]
    assert len(identities[0]) == 3


def test_the_identity_never_changes() -> None:
    """Lakes have it in a table, so another one must come with a migration."""
    assert identity(small_chain()) == "d3518057eaffb9fb9fc4ddb5939cf2f6"
