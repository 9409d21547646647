"""External content: bombs end early, damage is named, and what is read is what was written."""

from __future__ import annotations

import gzip
import json
import random
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from alchemiscale_lake import content
from alchemiscale_lake.errors import ContentError, LakeError, SettingsError
from alchemiscale_lake.gufe_adapter import load_object
from alchemiscale_lake.importing.assays import import_assays
from alchemiscale_lake.networks import read_network
from alchemiscale_lake.networks.edge_table import read_edge_table
from alchemiscale_lake.networks.nested import ObjectPool
from alchemiscale_lake.networks.result_files import read_raw, read_result_file
from alchemiscale_lake.pools_file import load_pools
from alchemiscale_lake.store import Lake

TEXT = json.dumps([{"a": i} for i in range(20_000)]).encode()


def _zstd_zeros(size: int) -> bytes:
    """Compress zeros without having them in memory: each block of 128 KiB is four bytes."""
    blocks = size // 2**17
    block = (2**17 << 3 | 1 << 1).to_bytes(3, "little") + b" "
    last = (1 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b" "
    return b"\x28\xb5\x2f\xfd\x00\x38" + block * blocks + last


def _gzip_zeros(size: int) -> bytes:
    member = gzip.compress(b" " * 2**24, mtime=0)
    return member * (size // 2**24)


BOMBS = {"zstd": _zstd_zeros(2**32), "gzip": _gzip_zeros(2**32)}


def _read_result(path: Path) -> Any:
    return read_result_file(read_raw(path), ObjectPool())


READERS: dict[str, Callable[[Path], Any]] = {"network": read_network, "gufe": load_object, "result": _read_result}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_ends_early_with_one_line(tmp_path: Path, bomb: str, reader: str) -> None:
    file = tmp_path / "network.json"
    file.write_bytes(BOMBS[bomb])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(LakeError, match="expand more than") as refused:
        READERS[reader](file)

    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024  # KiB


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_a_file_beyond_the_limit_is_refused_naming_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "network.json"
    file.write_bytes(pack(TEXT))
    monkeypatch.setenv(content.MAX_BYTES_VARIABLE, str(len(TEXT) - 1))
    with pytest.raises(ContentError, match="set ALCHEMISCALE_LAKE_MAX_BYTES"):
        content.read_file(file)

    monkeypatch.setenv(content.MAX_BYTES_VARIABLE, str(len(TEXT)))
    assert content.read_file(file) == TEXT


def test_an_invalid_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(content.MAX_BYTES_VARIABLE, "plenty")

    with pytest.raises(SettingsError, match="ALCHEMISCALE_LAKE_MAX_BYTES: 'plenty'"):
        content.max_bytes()


def test_a_file_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ContentError, match="a device"):
        content.read_file("/dev/zero")


def _without_size(data: bytes) -> bytes:
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(TEXT) + gzip.compress(TEXT),
        zstandard.compress(TEXT) + zstandard.compress(TEXT),
        _without_size(TEXT + TEXT),
        gzip.compress(TEXT + TEXT) + b"\0" * 512,
    ],
    ids=["two members", "two frames", "a frame without size", "padding"],
)
def test_every_form_of_compression_is_read(packed: bytes) -> None:
    assert content.decompress(packed, "file") == TEXT + TEXT


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress])
def test_no_flip_or_cut_goes_unnoticed(pack: Callable[[bytes], bytes]) -> None:
    chance, packed = random.Random(1), pack(TEXT[:2000])
    for _ in range(2000):
        damaged = bytearray(packed)
        if chance.random() < 0.8:
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        else:
            del damaged[chance.randrange(1, len(damaged)) :]
        try:
            found = content.decompress(bytes(damaged), "file")
        except ContentError:
            continue
        # times in a gzip header do not matter; an invalid header leaves the bytes as they are
        assert found == TEXT[:2000] or found == damaged


def test_real_compression_is_not_taken_for_a_bomb() -> None:
    # a protein that is written out in each of 200 systems
    repeated = random.Random(1).randbytes(2**18).hex().encode() * 200

    packed = zstandard.ZstdCompressor(level=3).compress(repeated)

    assert len(repeated) > 300 * len(packed)
    assert content.decompress(packed, "file") == repeated


BAD_JSON = {
    "deep lists": "[" * 150 + "]" * 150,
    "very deep lists": "[" * 100_000 + "]" * 100_000,
    "endless lists": "[" * 1_000_000,
    "deep dicts": '{"a":' * 150 + "1" + "}" * 150,
    "digits": f"[{'9' * 1_000_000}]",
    "twice": '{"a": 1, "b": {"c": 1, "c": 2}}',
    "half": '{"a": [1, 2',
    "two": "{} {}",
    "empty": "",
}


@pytest.mark.parametrize("kind", BAD_JSON)
def test_json_that_is_not_whole_is_named(kind: str) -> None:
    with pytest.raises(ContentError, match=r"^source: ") as refused:
        content.parse_json(BAD_JSON[kind], "source")

    assert len(str(refused.value)) < 1000


def test_json_as_gufe_writes_it_is_read() -> None:
    deep = "[" * content.MAX_DEPTH + "]" * content.MAX_DEPTH

    assert content.parse_json(deep, "source")
    assert content.parse_json('{"box": [NaN, -Infinity], "n": 1}', "source")["n"] == 1
    assert content.parse_json("7", "source") == 7


def _inside(what: str, form: str) -> str:
    """Put bad JSON where a reader expects content."""
    nested = {"chain": '[["A-1", {{"__qualname__": "A", "x": {}}}]]', "dict": '{{"__qualname__": "A", "x": {}}}'}
    nested["quickrun"] = '{{"estimate": 1, "protocol_result": {{"data": {}}}}}'
    return nested[form].format(BAD_JSON[what] or "nothing")


@pytest.mark.parametrize("form", ["chain", "dict", "quickrun"])
@pytest.mark.parametrize("what", BAD_JSON)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_names_the_file(tmp_path: Path, what: str, form: str, reader: str) -> None:
    file = tmp_path / "given.json"
    file.write_text(_inside(what, form))

    with pytest.raises(LakeError) as refused:
        READERS[reader](file)

    assert str(file) in str(refused.value)
    assert len(str(refused.value)) < 1500


ENCODINGS = {
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 big": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "Latin-1": lambda text: text.replace("A", "\xc4").encode("latin-1"),
    "cut": lambda text: text.encode() + b"\xe2\x82",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", ['[["A-1", {"__qualname__": "A"}]]', '{"__qualname__": "A"}'])
def test_other_encodings_are_named(tmp_path: Path, encoding: str, reader: str, text: str) -> None:
    file = tmp_path / "given.json"
    file.write_bytes(ENCODINGS[encoding](text))

    with pytest.raises(LakeError) as refused:
        READERS[reader](file)

    assert str(file) in str(refused.value)


BAD_TABLES = {
    "large cell": "ligand,value\n" + "a" * 200_000 + ",1\n",
    "large header": " " * 100_000 + "x" + ",value\n1,2\n",
    "quoted without end": 'ligand_i,ligand_j,value\n"' + "a,b\n" * 50_000,
    "digits in a header": "ligand_i,ligand_j,complex repeat " + "9" * 5000 + " dg\na,b,1\n",
    "a repeat without end": "ligand_i,ligand_j,value,repeat\na,b,1,1e999\n",
    "binary": "\x00\x01\x02\n\x00,\x00\n",
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_bad_tables_are_named(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(BAD_TABLES[kind])
    lake = Lake.create(tmp_path / "lake")

    with pytest.raises(LakeError, match=r"table\.csv"):
        read_edge_table(BAD_TABLES[kind], str(file))
    with pytest.raises(LakeError, match=r"table\.csv"):
        import_assays(lake, file, "org-campaign-project")


_LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
_MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 10))
BAD_POOLS = {
    "billion laughs": _LAUGHS,
    "billion merges": _MERGES,
    "deep": "a: " + "[" * 200_000,
    "deep and closed": "a: " + "[" * 400 + "]" * 400,
    "deep merges": "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: *a{i - 1}}}\n" for i in range(1, 3000)),
    "digits": f"pools: {'9' * 100_000}",
    "large": "# " + "x" * 2**20,
    "bytes": "\xff\xfe\x00",
}


@pytest.mark.parametrize("kind", BAD_POOLS)
def test_bad_pools_files_are_named(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "pools.yaml"
    file.write_text(BAD_POOLS[kind], encoding="latin-1")

    with pytest.raises(SettingsError, match=r"pools\.yaml"):
        load_pools(file)
