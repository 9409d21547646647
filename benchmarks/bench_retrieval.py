"""All results of a network as gufe objects, compared with reading and building one file after the other; bytes stored.

200 Transformations in one protein of about 4,000 atoms, with three results each. The reference is one zstd file per
result, as gufe writes it, each read, decompressed and built alone. Both run in a process of their own, from the
imports on, and drop each result before the next; peak memory is also compared with that for a few results. Run it with
``python -m benchmarks.bench_retrieval``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import zstandard

from alchemiscale_lake.execution.inputs import transformation_chain
from alchemiscale_lake.networks.shared_links import share_links
from alchemiscale_lake.store import Lake

from . import _table
from .bench_estimates import make_lake

NAME = "retrieval"
TARGET = "600 results as objects, 20 times faster than one file after the other, with a tenth of the bytes"

_TARGET_RATIO = 0.05
_TARGET_BYTES = 0.1
#: The reference reads every tenth file: each takes as long as any other.
_STEP = 10
_FEW = 20
_FILES = "one zstd file per result, one after the other"

#: Code of a process; it prints seconds, the number of results, and its peak memory in bytes.
_END = """
seconds = time.perf_counter() - start
(peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(seconds, n, int(peak.split()[1]) * 1024)
"""
_OURS = f"""
import sys, time
from pathlib import Path
import gufe
from alchemiscale_lake import LakeClient
from alchemiscale_lake.protocols import harmonic
client = LakeClient(sys.argv[1], use_local_cache=sys.argv[3] == "cached", cache_directory=sys.argv[2])
start, n = time.perf_counter(), 0
(network,) = client.query_networks()
for _, result in client.iter_network_results(network):
    n += len(result.protocol_unit_results) > 0
    if n == int(sys.argv[4]):
        break
{_END}
"""
_REFERENCE = f"""
import sys, time
from pathlib import Path
import gufe, zstandard
from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.protocols import harmonic
start, n = time.perf_counter(), 0
for file in sorted(Path(sys.argv[1]).iterdir())[::int(sys.argv[2])]:
    result = gufe_adapter.loads_chain(zstandard.ZstdDecompressor().decompress(file.read_bytes()))
    n += len(result.protocol_unit_results) > 0
    del result
{_END}
"""


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time ours twice with the reference in between, and once more from a full cache."""
    n_transformations, step = (10, 1) if quick else (200, _STEP)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        packing = _Packing(place / "files")
        lake, _, after = make_lake(n_transformations, place, packing)
        first = _measure(_OURS, lake.url, str(place / "cache"), "no", "-1")
        reference = _measure(_REFERENCE, str(place / "files"), str(step))
        second = _measure(_OURS, lake.url, str(place / "cache"), "no", "-1")
        few = _measure(_OURS, lake.url, str(place / "cache"), "no", str(_FEW))
        _measure(_OURS, lake.url, str(place / "cache"), "cached", "-1")
        cached = _measure(_OURS, lake.url, str(place / "cache"), "cached", "-1")
    ours = min(first, second)
    assert ours[1] == reference[1] * step == cached[1] == 3 * n_transformations
    size = f"{3 * n_transformations} results"
    return [
        _row(f"{size} as objects", ours[0], reference[0] * step, "s", _TARGET_RATIO, quick),
        _row(f"{size} as objects, from a full cache", cached[0], reference[0] * step, "s", None, quick),
        _row(f"peak memory for {size}", ours[2] / 2**20, reference[2] / 2**20, "MiB", None, quick),
        _row(f"peak memory for {size}", ours[2] / 2**20, few[2] / 2**20, "MiB", 1.1, quick, f"for {_FEW} of them"),
        _row(f"objects of {size} at rest", after / 2**20, packing.n_bytes / 2**20, "MiB", _TARGET_BYTES, quick),
    ]


class _Packing:
    """Stores results as a worker does, and keeps them as files as gufe writes them."""

    def __init__(self, files: Path) -> None:
        files.mkdir()
        self._files, self.n_bytes = files, 0

    def __call__(self, lake: Lake, transformation: str, chain: bytes) -> bytes:
        packer = zstandard.ZstdCompressor(level=3, write_checksum=True)
        whole = packer.compress(chain)
        (self._files / f"{len(list(self._files.iterdir())):06d}.json.zst").write_bytes(whole)
        self.n_bytes += len(whole)
        shared = share_links(chain, transformation_chain(lake, transformation))
        assert shared is not None
        return packer.compress(shared)


def _measure(code: str, *arguments: str) -> tuple[float, int, int]:
    """Return seconds, number of results and peak memory of a process."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    seconds, n, peak = done.stdout.split()
    return float(seconds), int(n), int(peak)


def _row(
    name: str, ours: float, reference: float, unit: str, target: float | None, quick: bool, what: str = _FILES
) -> dict[str, Any]:
    return {
        "name": name,
        "ours": ours,
        "reference_value": reference,
        "unit": unit,
        "reference": what,
        "ratio": ours / reference,
        "target": "none" if target is None else f"<= {target:g}x",
        "ok": quick or target is None or ours / reference <= target,
    }


if __name__ == "__main__":
    _table.main(run)
