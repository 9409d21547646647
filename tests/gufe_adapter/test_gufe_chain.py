"""Objects to JSON and back, on both generations of gufe."""

from __future__ import annotations

import gc
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gufe
import pytest
import zstandard
from gufe.tokenization import JSON_HANDLER
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.errors import (
    ExecutionError,
    InvalidNetworkError,
    MissingClassError,
    MissingDependencyError,
)
from alchemiscale_lake.gufe_adapter._translate import translate_out
from alchemiscale_lake.protocols.harmonic import HarmonicState
from tests import example_networks
from tests.contracts.protocol_contract import run_dag
from tests.generations import GUFE1, gufe1, without_openfe

DATA = Path(os.environ.get("ALCHEMISCALE_LAKE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture
def network() -> gufe.AlchemicalNetwork:
    return example_networks.harmonic_network(4)


# --- chains -------------------------------------------------------------------------------------


def test_chain_is_plain_json_with_dependencies_first(network: gufe.AlchemicalNetwork) -> None:
    chain = json.loads(gufe_adapter.dumps_chain(network))

    keys = [key for key, _ in chain]
    assert keys[-1] == str(network.key)
    assert len(set(keys)) == len(keys) == 4 + 4 + 4 + 1 + 1  # components, systems, edges, protocol, network
    for i, (_, keyed_dict) in enumerate(chain):
        assert {"__module__", "__qualname__"} <= keyed_dict.keys()
        assert set(_references(keyed_dict)) <= set(keys[:i])


@given(st.integers(2, 6), st.integers(1, 15), st.integers(0, 1000))
def test_any_network_comes_back_equal(n_ligands: int, n_edges: int, seed: int) -> None:
    network = example_networks.harmonic_network(n_ligands, n_edges, seed)

    again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(network))

    assert again == network
    assert again.key == network.key
    assert gufe_adapter.dumps_chain(again) == gufe_adapter.dumps_chain(network)


@pytest.mark.parametrize(
    "build",
    [
        example_networks.fanning_network,
        example_networks.disconnected_network,
        example_networks.legs_network,
        example_networks.noop_network,
    ],
)
def test_networks_of_all_kinds_come_back_equal(build: Any) -> None:
    network = build()

    again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(network).decode())

    assert again == network
    assert {edge.name for edge in again.edges} == {edge.name for edge in network.edges}


def test_objects_come_back_shared() -> None:
    data = gufe_adapter.dumps_chain(example_networks.harmonic_network(4))
    gc.collect()  # gufe would return its cached objects

    again = gufe_adapter.loads_chain(data)

    assert len({id(edge.protocol) for edge in again.edges}) == 1
    systems = {id(system) for system in again.nodes}
    assert {id(state) for edge in again.edges for state in (edge.stateA, edge.stateB)} == systems


def test_comes_back_in_a_process_that_has_never_seen_it(network: gufe.AlchemicalNetwork, tmp_path: Path) -> None:
    file = tmp_path / "network.json"
    gufe_adapter.dump_network(network, file)
    code = f"""
from alchemiscale_lake.gufe_adapter import load_object
network = load_object({str(file)!r})
print(network.key, len(network.edges), type(next(iter(network.edges)).protocol).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == [str(network.key), "4", "HarmonicProtocol"]


def test_non_transformation_comes_back() -> None:
    transformation = example_networks.non_transformation()

    again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(transformation))

    assert again == transformation
    assert isinstance(again, gufe.NonTransformation)


def test_chain_is_strict_json() -> None:
    # gufe 0.4 alone would write NaN for a system without a box
    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.loads(gufe_adapter.dumps_chain(example_networks.legs_network()), parse_constant=refuse)


@pytest.mark.parametrize("box", [[1.0] * 9, [float("nan")] * 8 + [1.0]])
def test_a_box_is_kept(box: list[float]) -> None:
    shallow = {"__qualname__": "ChemicalSystem", "box_vectors": box}

    assert translate_out(shallow) == shallow


@pytest.mark.parametrize("generation", ["0", "1"])
def test_reads_networks_of_the_other_generation(generation: str) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=5)
    chain = json.loads(gufe_adapter.dumps_chain(transformation))
    for _, keyed_dict in chain:
        if generation == "1":
            keyed_dict[":version:"] = 1
            if keyed_dict["__qualname__"] == "Transformation":
                keyed_dict["metadata"] = {}
        else:
            keyed_dict.pop(":version:", None)
            keyed_dict.pop("metadata", None)
            if keyed_dict["__qualname__"] == "ChemicalSystem":
                keyed_dict["box_vectors"] = [float("nan")] * 9

    assert gufe_adapter.loads_chain(json.dumps(chain)) == transformation


def test_reads_results_of_the_older_generation(tmp_path: Path) -> None:
    transformation = example_networks.harmonic_transformation(n_samples=5)
    dag_result = run_dag(transformation, tmp_path)
    newer = {"transformation_key", "extends_key", "stdout", "stderr", "start_time", "end_time", ":version:"}
    chain = [
        (key, {word: value for word, value in keyed_dict.items() if word not in newer})
        for key, keyed_dict in json.loads(gufe_adapter.dumps_chain(dag_result))
    ]
    estimate = gufe_adapter.estimate(transformation, [dag_result])
    del dag_result
    gc.collect()

    again = gufe_adapter.loads_chain(json.dumps(chain))

    assert gufe_adapter.estimate(transformation, [again]) == estimate


@gufe1
def test_reads_and_writes_as_gufe_does(network: gufe.AlchemicalNetwork) -> None:
    theirs, ours = network.to_json(), gufe_adapter.dumps_chain(network).decode()

    assert gufe_adapter.loads_chain(theirs) == network
    assert gufe.AlchemicalNetwork.from_json(content=ours) == network
    assert dict(json.loads(ours)) == dict(json.loads(theirs))


@gufe1
def test_settings_with_units_come_back() -> None:
    from gufe.settings import Settings
    from gufe.tests.test_protocol import DummyProtocol

    state = example_networks.harmonic_system("a")
    transformation = gufe.Transformation(state, state, DummyProtocol(DummyProtocol.default_settings()), name="dummy")

    again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(transformation))

    assert isinstance(again.protocol.settings, Settings)
    assert again == transformation


def test_an_unwritable_output_is_named() -> None:
    from gufe.protocols.protocolunit import ProtocolUnitResult

    result = ProtocolUnitResult(name="odd", source_key="Unit-1", inputs={}, outputs={"thing": {1, 2}})

    with pytest.raises(ExecutionError, match=r"ProtocolUnitResult odd cannot be written as JSON .*set") as caught:
        gufe_adapter.dumps_chain(result)
    assert caught.value.facts["key"] == str(result.key)


def test_a_long_row_of_units_does_not_exhaust_the_stack() -> None:
    from gufe.protocols.protocolunit import ProtocolUnitResult

    result = None
    for i in range(3000):
        result = ProtocolUnitResult(name=str(i), source_key=f"Unit-{i}", inputs={"before": [result]}, outputs={})

    again = gufe_adapter.loads_chain(gufe_adapter.dumps_chain(result))

    assert again.key == result.key
    assert again.inputs["before"][0].name == "2998"


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".json.zst"])
def test_file_round_trip(network: gufe.AlchemicalNetwork, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"network{suffix}"

    gufe_adapter.dump_network(network, file)

    assert gufe_adapter.load_object(file) == network
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_suffix_chooses_the_compression(network: gufe.AlchemicalNetwork, tmp_path: Path) -> None:
    data = gufe_adapter.dumps_chain(network)
    for name in ("n.json", "n.json.gz", "n.json.zst"):
        gufe_adapter.dump_network(network, tmp_path / name)

    assert (tmp_path / "n.json").read_bytes() == data
    assert gzip.decompress((tmp_path / "n.json.gz").read_bytes()) == data
    assert zstandard.ZstdDecompressor().decompress((tmp_path / "n.json.zst").read_bytes()) == data


def test_a_failed_write_leaves_the_old_file(network: gufe.AlchemicalNetwork, tmp_path: Path) -> None:
    file = tmp_path / "taken"
    file.mkdir()

    with pytest.raises(OSError, match="directory"):
        gufe_adapter.dump_network(network, file)

    assert list(tmp_path.iterdir()) == [file]


def test_nested_dict_file(network: gufe.AlchemicalNetwork, tmp_path: Path) -> None:
    # the output of `dump`, in both generations
    file = tmp_path / "network.json"
    file.write_text(json.dumps(network.to_dict(), cls=JSON_HANDLER.encoder, sort_keys=True))

    assert gufe_adapter.load_object(file) == network


@pytest.mark.parametrize("suffix", [".json.gz", ".json.zst"])
def test_a_file_cut_short_is_refused(network: gufe.AlchemicalNetwork, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"network{suffix}"
    gufe_adapter.dump_network(network, file)
    file.write_bytes(file.read_bytes()[:-20])

    with pytest.raises(InvalidNetworkError, match="copy or write it again"):
        gufe_adapter.load_object(file)


@gufe1
@pytest.mark.parametrize("compress", [True, False])
def test_msgpack_file(network: gufe.AlchemicalNetwork, compress: bool, tmp_path: Path) -> None:
    file = tmp_path / "network.msgpack"
    network.to_msgpack(file, compress=compress)

    assert gufe_adapter.load_object(file) == network


def test_other_binary_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "network.msgpack"
    file.write_bytes(b"\x93\x01\x02\x03")

    # gufe 0.4 has no msgpack, and cannot detect it
    with pytest.raises(InvalidNetworkError if GUFE1 else MissingDependencyError, match="msgpack"):
        gufe_adapter.load_object(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[]", "not a gufe object"),
        ("[1, 2]", "not a gufe object"),
        ('{"edges": []}', "not a gufe object"),
        ('[["A-1", {"x": 1}]]', "has no class name"),
        (
            '[["A-1", {"__module__": "gufe", "__qualname__": "ChemicalSystem", "x": {":gufe-key:": "B-2"}}]]',
            "B-2 before",
        ),
    ],
)
def test_other_files_are_refused_by_name(content: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)

    with pytest.raises(InvalidNetworkError, match=said) as caught:
        gufe_adapter.load_object(file)
    assert str(file) in str(caught.value)


def test_a_dict_is_not_a_chain(network: gufe.AlchemicalNetwork) -> None:
    with pytest.raises(InvalidNetworkError, match="not a keyed chain"):
        gufe_adapter.loads_chain(json.dumps(network.to_dict(), cls=JSON_HANDLER.encoder))


def test_an_object_this_gufe_cannot_build_is_named() -> None:
    chain = json.loads(gufe_adapter.dumps_chain(HarmonicState("a")))
    chain[0][1]["colour"] = "red"

    with pytest.raises(InvalidNetworkError, match=r"HarmonicState cannot be rebuilt by gufe .*colour"):
        gufe_adapter.loads_chain(json.dumps(chain))


# --- classes ------------------------------------------------------------------------------------


def test_import_class() -> None:
    assert gufe_adapter.import_class("alchemiscale_lake.protocols.harmonic_states", "HarmonicState") is HarmonicState


@pytest.mark.parametrize(
    ("module", "qualname", "said"),
    [
        (
            "openfe.protocols",
            "SomeProtocol",
            "Protocol class SomeProtocol of package openfe .* openfe from conda-forge",
        ),
        (
            "nowhere.at_all",
            "Thing",
            "the class Thing of package nowhere cannot be imported here .*; install nowhere in",
        ),
        ("alchemiscale_lake.protocols.harmonic", "Gone", "Gone of package alchemiscale_lake"),
        ("gufe", "Newer", "does not have this class: install gufe >= 1"),
    ],
)
def test_a_missing_class_is_reported_with_the_package_to_install(module: str, qualname: str, said: str) -> None:
    with pytest.raises(MissingClassError, match=said) as caught:
        gufe_adapter.import_class(module, qualname)
    assert caught.value.facts["module"] == module
    assert caught.value.facts["qualname"] == qualname


@without_openfe
@pytest.mark.parametrize(
    "name", ["tyk2_network.json", "rbfe_lig_ejm_31_solvent_lig_ejm_46_solvent.json", "jacs_network.json.zst"]
)
def test_a_network_of_openfe_asks_for_openfe(name: str) -> None:
    file = DATA / name
    if not file.exists():
        pytest.skip(f"{name} is not in {DATA}; set ALCHEMISCALE_LAKE_TEST_DATA to a folder that has it")

    with pytest.raises(
        MissingClassError, match=r"Protocol of package openfe .*install openfe from conda-forge"
    ) as caught:
        gufe_adapter.load_object(file)

    assert "openfe" in caught.value.facts["packages"]


def test_importing_the_adapter_imports_no_gufe() -> None:
    code = "import sys, alchemiscale_lake.gufe_adapter as a; print('gufe' in sys.modules, a.gufe_version())"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", gufe.__version__.lstrip("v")]


def test_without_gufe_the_adapter_raises_a_clear_error() -> None:
    code = """
import sys
sys.modules["gufe"] = None
from alchemiscale_lake.gufe_adapter import loads_chain
from alchemiscale_lake.errors import MissingDependencyError
try:
    loads_chain("[]")
except MissingDependencyError as e:
    print(e)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "gufe cannot be imported here" in done.stdout


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        if ":gufe-key:" in value:
            return [value[":gufe-key:"]]
        return [found for item in value.values() for found in _references(item)]
    return [found for item in value for found in _references(item)] if isinstance(value, list) else []
