"""Files, folders, chains and live objects: all sources of a network, and what is rejected."""

from __future__ import annotations

import gzip
import json
import shutil

import gufe
import pytest
import zstandard
from gufe.tokenization import JSON_HANDLER
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.errors import InvalidNetworkError, LakeError, MissingClassError
from alchemiscale_lake.networks import read_network
from tests import example_networks
from tests.generations import gufe1
from tests.networks.chains import network, small_chain, text, thing
from tests.real_data import real_file

PACK = {
    "plain": bytes,
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd without size": zstandard.ZstdCompressor(write_content_size=False).compress,
    "two zstd frames": lambda raw: b"".join(zstandard.ZstdCompressor().compress(part) for part in (raw[:99], raw[99:])),
    "gzip": gzip.compress,
    "byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
}


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize("suffix", [".json", ".json.zst", ".json.gz", ".txt"])
def test_the_content_decides_not_the_suffix(tmp_path, pack, suffix):
    file = tmp_path / f"net{suffix}"
    file.write_bytes(PACK[pack](text(small_chain()).encode()))

    net = read_network(file)

    assert (net.key, net.transformations, net.source) == ("N-1", ("T-ab",), str(file))
    assert net.gufe_version is None


def test_a_chain_may_be_given_as_plain_data_or_bytes():
    assert read_network(small_chain()).key == "N-1"
    assert read_network(text(small_chain()).encode()).key == "N-1"


@pytest.mark.parametrize("name", ["plan", "renamed"])
def test_the_folder_openfe_leaves_is_read_by_its_network(tmp_path, name):
    folder = tmp_path / name
    (folder / "transformations").mkdir(parents=True)
    (folder / "plan.json").write_text(text(small_chain()))
    (folder / "ligand_network.graphml").write_text("<graphml/>")
    (folder / "transformations" / "ana_bob.json").write_text("[]")

    assert read_network(folder).key == "N-1"


@pytest.mark.parametrize(
    ("own", "expected"),
    [("rbfe", "tyk2"), ("rhfe", "tyk2"), ("easy_rfe_calculation", "tyk2"), ("", "tyk2"), ("p38", "p38")],
)
def test_a_name_that_a_planner_gives_to_every_network_yields_to_that_of_the_file_or_folder(tmp_path, own, expected):
    chain = small_chain()
    chain[-1][1]["name"] = own
    (tmp_path / "tyk2").mkdir()
    for file in (tmp_path / "tyk2.json", tmp_path / "tyk2" / "tyk2.json"):
        file.write_text(text(chain))

    assert read_network(tmp_path / "tyk2.json").name == expected
    assert read_network(tmp_path / "tyk2").name == expected
    assert read_network(tmp_path / "tyk2.json").key == "N-1", "a name of the lake's changes no key"


@pytest.mark.parametrize("inside", [".", "transformations"])
def test_a_folder_of_transformations_is_a_network_of_its_name(tmp_path, inside):
    folder = tmp_path / "campaign"
    (folder / inside).mkdir(parents=True)
    (folder / inside / "ana_bob.json").write_text(text(small_chain()[:-1]))

    net = read_network(folder)

    assert (net.name, net.transformations) == ("campaign", ("T-ab",))


def test_single_transformations_are_networks_and_several_are_one(tmp_path):
    files = []
    for name in ("complex", "solvent"):
        file = next(real_file("tyk2_network.json").parent.glob(f"rbfe_lig_ejm_31_{name}_*.json"))
        files.append(shutil.copy(file, tmp_path))

    alone = read_network(files[0])
    both = read_network(files)

    assert alone.name == "rbfe_lig_ejm_31_complex_lig_ejm_46_complex"
    assert (len(alone.transformations), len(alone.systems)) == (1, 2)
    assert (len(both.transformations), len(both.systems)) == (2, 4)
    assert (
        set(alone.transformations)
        < set(both.transformations)
        < set(read_network(real_file("tyk2_network.json")).objects)
    )


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".json.zst"])
def test_what_gufe_dumps_nested_is_read_through_its_classes(tmp_path, suffix):
    live = example_networks.harmonic_network(3)
    raw = json.dumps(live.to_dict(), cls=JSON_HANDLER.encoder).encode()
    file = tmp_path / f"nested{suffix}"
    file.write_bytes({".json": bytes, ".json.gz": gzip.compress, ".json.zst": PACK["zstd"]}[suffix](raw))

    net = read_network(file)

    assert net.key == str(live.key)
    assert net.gufe_version == gufe_adapter.gufe_version()


@gufe1
@pytest.mark.parametrize("compress", [True, False])
def test_msgpack_is_read_through_gufe(tmp_path, compress):
    live = example_networks.harmonic_network(3)
    file = tmp_path / "net.msgpack"
    live.to_msgpack(file, compress=compress)

    assert read_network(file).key == str(live.key)


@pytest.mark.parametrize(
    "live",
    [
        example_networks.harmonic_network,
        example_networks.legs_network,
        example_networks.harmonic_transformation,
        example_networks.non_transformation,
    ],
)
def test_live_objects_are_read_as_they_are(live):
    obj = live()

    net = read_network(obj)

    edges = {str(edge.key) for edge in obj.edges} if isinstance(obj, gufe.AlchemicalNetwork) else {str(obj.key)}
    assert set(net.transformations) == edges
    assert net.gufe_version == gufe_adapter.gufe_version()


def test_the_classes_of_a_chain_are_not_needed_but_those_of_a_nested_dict_are(tmp_path):
    read_network(small_chain(P_1=thing("Nowhere", "no.such.module")))
    file = tmp_path / "nested.json"
    file.write_text(json.dumps(thing("AlchemicalNetwork", "no.such.module", nodes=[], edges=[], name=None)))

    with pytest.raises(MissingClassError, match=r"AlchemicalNetwork.*no"):
        read_network(file)


REFUSED = {
    "nothing": (b"", "the file is empty"),
    "blank": (b" \n", "the file is empty"),
    "binary": (b"\x00\x01", "neither JSON nor msgpack"),
    "words": (b"hello", "neither JSON nor msgpack"),
    "not UTF-8": (b'[["a\xff', "not UTF-8 at byte 4"),
    "empty list": (b"[]", "an empty list"),
    "other JSON": (b'{"nodes": []}', "not a gufe object"),
    "cut dict": (b'{"__qualname__": "Alch', "not valid JSON"),
    "cut gzip": (gzip.compress(b"[]" * 99)[:-9], "compressed file is truncated"),
    "cut zstd": (
        zstandard.ZstdCompressor().compress(text(small_chain()).encode())[:-9],
        "compressed file is truncated",
    ),
    "bad zstd": (b"\x28\xb5\x2f\xfdhello", "compressed file is truncated"),
    "a system": (text(small_chain()[:-2]).encode(), "neither an AlchemicalNetwork nor a Transformation"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_files_are_refused_by_name(tmp_path, case):
    raw, why = REFUSED[case]
    file = tmp_path / "net.json"
    file.write_bytes(raw)

    with pytest.raises(InvalidNetworkError, match=why) as caught:
        read_network(file)

    assert caught.value.message.startswith(f"{file}: ")


def test_no_file_no_folder_content_and_no_gufe_object_are_refused(tmp_path):
    with pytest.raises(InvalidNetworkError, match="there is no such file"):
        read_network(tmp_path / "absent.json")
    with pytest.raises(InvalidNetworkError, match="contains no network file"):
        read_network(tmp_path)
    with pytest.raises(InvalidNetworkError, match="not a gufe object"):
        read_network(3)
    with pytest.raises(InvalidNetworkError, match="values that JSON cannot represent"):
        read_network([("a-1", {"x": object()})])
    with pytest.raises(InvalidNetworkError, match="an empty list"):
        read_network([])


def test_a_folder_of_two_networks_and_files_of_networks_are_refused(tmp_path):
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file in files:
        file.write_text(text(small_chain(N_1=network(["S-a"], ["T-ab"], name=file.stem))))

    with pytest.raises(InvalidNetworkError, match="contains 2 networks"):
        read_network(tmp_path)
    with pytest.raises(InvalidNetworkError, match="each of several files must be a Transformation"):
        read_network(files)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.sampled_from(sorted(PACK)))
def test_random_bytes_are_refused_and_never_crash(tmp_path, raw, pack):
    file = tmp_path / "net.json"
    file.write_bytes(PACK[pack](raw))

    with pytest.raises(LakeError):
        read_network(file)
