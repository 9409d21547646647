"""Submission: stored unchanged, once, visible last; rejected with nothing written."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import InvalidNetworkError, InvalidScopeError, LakeError, NotFoundError
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.networks import read_network
from alchemiscale_lake.statestore.submit import Submission, read_chain, read_network_chain, submit_network
from alchemiscale_lake.store import Lake
from tests import example_networks
from tests.networks.chains import Chain, molecule, network, ref, small_chain, system, text, thing, transformation
from tests.real_data import real_file

SCOPE = "org-campaign-project"
TABLES = ("gufe_objects", "transformations", "network_members", "networks", "network_log")
POINTS = [f"submit:{table}-written" for table in TABLES[:4]]


@pytest.fixture(scope="module")
def empty_lake(empty_lake_folder) -> Iterator[Lake]:
    """Return a read-only lake."""
    lake = Lake.open(empty_lake_folder)
    yield lake
    assert not any(counts(lake).values())


def counts(lake: Lake) -> dict[str, int]:
    return {name: len(lake.table(name).scan().collect()) for name in TABLES}


def versions(lake: Lake) -> dict[str, int]:
    return {name: lake.table(name).snapshot().version() for name in TABLES}


def grown_chain() -> Chain:
    """Return `small_chain` with one more ligand and one more Transformation."""
    chain = small_chain(
        L_c=molecule("cyd", elements=(6, 6)),
        S_c=system("cyd_solvent", ligand="L-c", solvent="W-1"),
        T_bc=transformation("S-b", "S-c", name="bob_cyd"),
    )
    return [*[link for link in chain if link[0] != "N-1"], ("N-2", network([], ["T-ab", "T-bc"], "grown"))]


def test_a_network_is_stored_with_its_objects_members_and_row(lake):
    done = submit_network(lake, small_chain(), SCOPE, caller=Caller("me"))

    assert done == Submission(
        network=f"N-1-{SCOPE}",
        name="net",
        new=True,
        n_transformations=1,
        n_systems=2,
        n_objects=9,
        n_new_transformations=1,
        n_new_objects=9,
        n_unverified=9,
    )
    members = lake.table("network_members").scan().sort("member").select("member", "kind").collect().rows()
    assert members == [(f"S-a-{SCOPE}", "system"), (f"S-b-{SCOPE}", "system"), (f"T-ab-{SCOPE}", "transformation")]
    (row,) = lake.table("networks").scan().collect().to_dicts()
    assert (row["name"], row["n_transformations"], row["n_systems"], row["creator"]) == ("net", 1, 2, "me")
    objects = lake.table("gufe_objects").scan().filter(pl.col("key") == "T-ab").collect().to_dicts()
    assert (objects[0]["qualname"], objects[0]["name"]) == ("Transformation", "ana_bob")
    assert objects[0]["refers_to"] == ["S-a", "S-b", "P-1", "M-1"]
    assert counts(lake)["network_log"] == 0


def test_the_same_network_again_writes_nothing(lake):
    submit_network(lake, small_chain(), SCOPE, name="first")
    before = versions(lake)

    again = submit_network(lake, small_chain(), SCOPE, name="second")

    assert (again.new, again.n_new_objects, again.n_new_transformations, again.name) == (False, 0, 0, "first")
    assert versions(lake) == before


def test_a_grown_network_stores_only_what_is_new(lake):
    submit_network(lake, small_chain(), SCOPE)

    grown = submit_network(lake, grown_chain(), SCOPE)

    assert (grown.new, grown.n_objects, grown.n_new_objects, grown.n_new_transformations) == (True, 12, 4, 1)
    assert counts(lake) | {"network_members": 0} == {
        "gufe_objects": 13,
        "transformations": 2,
        "network_members": 0,
        "networks": 2,
        "network_log": 0,
    }


def test_scopes_share_nothing(lake):
    submit_network(lake, small_chain(), SCOPE)

    other = submit_network(lake, small_chain(L_a=molecule("other")), "org-campaign-other")

    assert (other.n_new_objects, other.n_new_transformations) == (9, 1)


def test_a_ligand_keeps_its_label_when_a_namesake_joins(lake):
    submit_network(lake, small_chain(), SCOPE)
    chain = [(key, molecule("bob", elements=(9, 9)) if key == "L-c" else content) for key, content in grown_chain()]

    submit_network(lake, chain, SCOPE)

    rows = lake.table("transformations").scan().sort("key").select("ligand_a_name", "ligand_b_name").collect().rows()
    assert rows == [("ana", "bob"), ("bob", "bob (L-c)")]


def test_one_key_with_another_content_is_refused(lake):
    submit_network(lake, small_chain(), SCOPE)
    before = versions(lake)

    with pytest.raises(InvalidNetworkError, match=r"L-b differs from the object with this key in Scope org-"):
        submit_network(lake, [(k, molecule("bob") if k == "L-b" else c) for k, c in grown_chain()], SCOPE)

    assert versions(lake) == before


def test_an_object_that_another_gufe_wrote_with_new_empty_fields_is_the_same(lake):
    submit_network(lake, small_chain(), SCOPE)
    newer = [(k, c | {":version:": 2, "metadata": {}} if k == "T-ab" else c) for k, c in grown_chain()]

    grown = submit_network(lake, newer, SCOPE)

    assert grown.n_new_objects == 4


@pytest.mark.parametrize("scope", ["*-*-*", "org-*-*", "org", "a-b-c-d", "1-b-c", ""])
def test_a_scope_that_is_none_or_has_a_wildcard_is_refused(empty_lake, scope):
    with pytest.raises(InvalidScopeError):
        submit_network(empty_lake, small_chain(), scope)


BROKEN = {
    "no network": lambda chain: chain[:-2],
    "no edges": lambda chain: [*chain[:-1], ("N-1", network(["S-a"], []))],
    "an object is missing": lambda chain: chain[1:],
    "a state is its own end": lambda chain: [(k, transformation("S-a", "S-a") if k == "T-ab" else c) for k, c in chain],
    "an edge is none": lambda chain: [*chain[:-1], ("N-1", network([], ["S-a"]))],
    "two contents of a key": lambda chain: [("L-a", thing("Other")), *chain],
    "no class": lambda chain: [(k, {} if k == "P-1" else c) for k, c in chain],
    "no list": lambda chain: [dict(chain)],
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_refused_with_nothing_written(empty_lake, case):
    with pytest.raises(InvalidNetworkError):
        submit_network(empty_lake, BROKEN[case](small_chain()), SCOPE)

    assert not any(counts(empty_lake).values())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_file_cut_or_spoilt_anywhere_is_refused_with_nothing_written(tmp_path, empty_lake, data):
    whole = text(small_chain()).encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        spoilt = whole[:at]
    else:  # what stands there cannot stand in JSON outside a text; inside one, a control character cannot
        spoilt = whole[:at] + data.draw(st.sampled_from([b"\x00", b"\x1f", b"\xff"])) + whole[at:]
    file = tmp_path / "net.json"
    file.write_bytes(spoilt)

    with pytest.raises(LakeError):
        submit_network(empty_lake, file, SCOPE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_chain_with_a_reference_turned_elsewhere_is_refused_or_whole(empty_lake, data):
    """Whatever one reference is changed to, an accepted network has only complete Transformations."""
    words = text(small_chain())
    keys = [key for key, _ in small_chain()]
    spots = [i for i in range(len(words)) if words.startswith('":gufe-key:": "', i)]
    start = data.draw(st.sampled_from(spots)) + len('":gufe-key:": "')
    end = words.index('"', start)
    turned = words[:start] + data.draw(st.sampled_from([*keys, "X-1", ""])) + words[end:]

    try:
        net = read_network(turned.encode())
    except InvalidNetworkError:
        with pytest.raises(InvalidNetworkError):
            submit_network(empty_lake, turned.encode(), SCOPE)
        return
    for edge in net.transformations:
        fields = net.objects[edge].keyed_dict
        assert fields["stateA"] != fields["stateB"]
        assert {"S-a", "S-b"} == {fields[state][":gufe-key:"] for state in ("stateA", "stateB")}


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_between_any_two_writes_is_made_good_by_submitting_again(lake, point):
    def crash(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), fault_hook(crash):
        submit_network(lake, small_chain(), SCOPE)

    visible = bool(counts(lake)["networks"])
    assert visible == (point == POINTS[-1])
    again = submit_network(lake, small_chain(), SCOPE)
    assert again.new is not visible
    assert counts(lake) == {
        "gufe_objects": 9,
        "transformations": 1,
        "network_members": 3,
        "networks": 1,
        "network_log": 0,
    }


def test_concurrent_submissions_store_everything_once(lake):
    results: list[Submission] = []
    chains = [small_chain(), grown_chain()] * 2
    threads = [
        threading.Thread(target=lambda chain=chain: results.append(submit_network(lake, chain, SCOPE)))
        for chain in chains
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done.network for done in results if done.new) == [f"N-1-{SCOPE}", f"N-2-{SCOPE}"]
    assert sum(done.n_new_objects for done in results) == counts(lake)["gufe_objects"] == 13
    assert sum(done.n_new_transformations for done in results) == counts(lake)["transformations"] == 2


def test_what_was_stored_comes_back(lake):
    done = submit_network(lake, small_chain(), SCOPE)

    assert sorted(read_network_chain(lake, done.network)) == sorted(small_chain())
    assert [key for key, _ in json.loads(read_chain(lake, f"T-ab-{SCOPE}"))][-1] == "T-ab"
    with pytest.raises(NotFoundError):
        read_chain(lake, f"T-ac-{SCOPE}")


@pytest.mark.parametrize(
    "make", [example_networks.harmonic_network, example_networks.legs_network, example_networks.disconnected_network]
)
def test_live_networks_come_back_equal(lake, make):
    live = make()

    done = submit_network(lake, live, SCOPE)

    back = gufe_adapter.loads_chain(read_chain(lake, done.network))
    assert back == live
    assert (done.n_transformations, done.n_systems) == (len(live.edges), len(live.nodes))
    for edge in live.edges:
        assert gufe_adapter.loads_chain(read_chain(lake, f"{edge.key}-{SCOPE}")) == edge


def test_the_legs_of_a_live_network_name_their_phase_and_ligands(lake):
    submit_network(lake, example_networks.legs_network(3, ("vacuum", "solvent", "complex")), SCOPE)

    rows = lake.table("transformations").scan().select("phase", "ligand_a_name", "ligand_b_name").collect()

    assert sorted(rows["phase"].value_counts().rows()) == [("complex", 3), ("solvent", 3), ("vacuum", 3)]
    pairs = rows.group_by("phase").agg(pl.struct("ligand_a_name", "ligand_b_name").sort().alias("pairs"))
    assert pairs["pairs"].n_unique() == 1
    assert set(rows["ligand_a_name"]) == {"lig0", "lig1", "lig2"}


@pytest.mark.parametrize(
    ("name", "n_objects", "n_edges"), [("tyk2_network.json", 62, 18), ("jacs_network.json.zst", 1457, 566)]
)
def test_networks_of_openfe_are_stored_without_openfe(lake, name, n_objects, n_edges):
    done = submit_network(lake, real_file(name), SCOPE)

    assert (done.n_new_objects, done.n_new_transformations) == (n_objects, n_edges)
    parsed = read_network_chain(lake, done.network)
    assert (len(parsed), parsed[-1][0]) == (n_objects, done.network.removesuffix(f"-{SCOPE}"))


def test_single_transformations_of_a_stored_network_add_only_their_own_network(lake):
    submit_network(lake, real_file("tyk2_network.json"), SCOPE)
    file = next(real_file("tyk2_network.json").parent.glob("rbfe_lig_ejm_31_solvent_*.json"))

    done = submit_network(lake, file, SCOPE)

    assert (done.new, done.n_new_objects, done.n_new_transformations) == (True, 1, 0)
    assert done.name == "rbfe_lig_ejm_31_solvent_lig_ejm_46_solvent"


def test_storing_a_chain_and_reading_it_back_imports_no_gufe(tmp_path):
    file = tmp_path / "net.json"
    file.write_text(text(small_chain()))
    script = f"""
import sys
from alchemiscale_lake.store import Lake
from alchemiscale_lake.statestore.submit import read_chain, submit_network
lake = Lake.create({str(tmp_path / "lake")!r})
done = submit_network(lake, {str(file)!r}, {SCOPE!r})
read_chain(lake, done.network)
foreign = {{"gufe", "openfe", "rdkit", "openmm", "prefect", "dask"}} & set(sys.modules)
assert not foreign, foreign
"""

    subprocess.run([sys.executable, "-c", script], check=True)


def test_references_survive_as_they_were(lake):
    chain = small_chain(T_ab=transformation("S-a", "S-b", mapping=[ref("M-1")], name="ana_bob"))

    submit_network(lake, chain, SCOPE)

    back = dict(read_network_chain(lake, f"N-1-{SCOPE}"))
    assert back["T-ab"]["mapping"] == [ref("M-1")]
