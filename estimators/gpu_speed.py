"""How fast molecular dynamics runs on a GPU model, from published benchmarks.

Owns the table of published speeds, and which of its rows a name as `nvidia-smi` prints it means. What an
alchemical calculation costs is in `features` and `cost`; nothing here was fitted to one.

All rows are OpenMM's explicit-solvent PME benchmarks (4 fs, constraints on hydrogen, CUDA) of dihydrofolate
reductase (23,558 atoms) and apolipoprotein A1 (92,224 atoms). Several versions of OpenMM published them, so each
is brought to the newest by a model that both measured. Two sizes give the two numbers that matter: what a step
costs however small the system is (latency: launches, synchronisation), and what each further atom adds.

References
----------
- openmm.org, data/benchmarks.json: OpenMM 8.4 (2026), 8.0 (2025, with RTX 5090), 7.7 (2022)
- T4: github.com/openmm/openmm, issue 2971 (OpenMM 7.5); RTX 3060 and 3060 Ti: issue 2865 (7.7)
- MIG slices: NVIDIA Multi-Instance GPU user guide (an A100 or H100 has 7 compute slices)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CPU", "REFERENCE_MODEL", "GpuSpeed", "is_cpu", "known_models", "speed_of", "unlisted"]

FloatArray = NDArray[np.float64]

#: Speeds are relative to this one where a GPU model is unknown: neither the slowest nor the fastest in use.
REFERENCE_MODEL: Final = "L40S"

#: What rows without a GPU name as their GPU model.
CPU: Final = "cpu"

_SMALL_ATOMS: Final = 23_558
_LARGE_ATOMS: Final = 92_224
_STEP_FS: Final = 4.0
_MS_PER_DAY: Final = 86_400_000.0
_FS_PER_NS: Final = 1e6

# The least a step takes on any GPU of the tables, ms: kernels have to be launched however little they do.
_LEAST_LATENCY_MS: Final = 0.06

# Log sd of the ratio between two listed models when the work is alchemical instead of the benchmark's.
_LISTED_SD: Final = 0.15
# The same chip on another board: clocks and power limits differ.
_SIBLING_SD: Final = 0.22
# A slice of a card shares its memory and is measured by nobody in these tables.
_SLICE_SD: Final = 0.4
# Models of no table: the listed ones spread by about this much around the reference.
_UNLISTED_SD: Final = 0.7


@dataclass(frozen=True, slots=True)
class GpuSpeed:
    """What a step of plain molecular dynamics takes on a GPU model.

    Attributes
    ----------
    model : str
        Name in the table.
    latency_ms : float
        Time of a step however small the system is, ms.
    small_ms, large_ms : float
        Time of a step of 23,558 and of 92,224 atoms, ms.
    slices : float
        Part of the card's compute that is there (1 without MIG).
    sd_log : float
        How far the ratio to another listed model may be off, log standard deviation.
    source : str
        Where the numbers are published.
    """

    model: str
    latency_ms: float
    small_ms: float
    large_ms: float
    slices: float
    sd_log: float
    source: str

    def step_ms(self, n_atoms: FloatArray, packing: FloatArray | float = 1.0) -> FloatArray:
        """GPU time of one step, shared by what runs side by side.

        Parameters
        ----------
        n_atoms : ndarray of float
            Atoms of the simulated system.
        packing : ndarray of float
            Calculations side by side on the GPU. They hide each other's latency, not each other's work.

        Returns
        -------
        ndarray of float
            Milliseconds of the whole GPU that one step of one of them takes.
        """
        exponent = np.log((self.large_ms - self.latency_ms) / (self.small_ms - self.latency_ms)) / np.log(
            _LARGE_ATOMS / _SMALL_ATOMS
        )
        work_ms = (self.small_ms - self.latency_ms) * (n_atoms / _SMALL_ATOMS) ** exponent / self.slices
        shared: FloatArray = self.latency_ms / np.maximum(packing, 1.0) + work_ms
        return shared


# model: (ns/day at 23,558 atoms, ns/day at 92,224 atoms, which table)
_PUBLISHED: Final[dict[str, tuple[float, float, str]]] = {
    "DGX Spark": (1165.12, 305.645, "8.4"),
    "RTX 5070 Ti": (1840.4, 632.26, "8.4"),
    "RTX 4080": (2037.67, 673.191, "8.4"),
    "RTX 6000 Ada": (2139.74, 770.353, "8.4"),
    "RTX PRO 6000": (1695.55, 948.024, "8.4"),
    "L40": (2014.83, 788.153, "8.4"),
    "L40S": (2059.5, 799.507, "8.4"),
    "A100": (1286.64, 479.673, "8.4"),
    "H100": (1704.5, 742.139, "8.4"),
    "H200": (1719.87, 763.374, "8.4"),
    "B200": (1658.71, 875.937, "8.4"),
    "RTX 3090": (1529.87, 425.4835, "8.0"),
    "RTX 4090": (2250.01, 784.5597, "8.0"),
    "RTX 5090": (2258.28, 1060.13, "8.0"),
    "Titan V": (926.962, 268.82, "7.7"),
    "V100": (999.01, 326.957, "7.7"),
    "RTX 2080": (879.296, 194.643, "7.7"),
    "RTX 2080 Ti": (1134.62, 288.891, "7.7"),
    "Quadro RTX 6000": (1200.04, 309.144, "7.7"),
    "A10": (1109.49, 274.249, "7.7"),
    "A40": (1353.54, 371.773, "7.7"),
    "T4": (554.6, 114.9, "7.5"),
    "RTX 3060": (808.5, 154.6, "issue 2865"),
    "RTX 3060 Ti": (981.8, 203.7, "issue 2865"),
}

# What the tables share with the newest: (ns/day there, the same model's in the newest table or brought to it)
_ANCHORS: Final[dict[str, tuple[tuple[float, float], str]]] = {
    "8.0": ((1276.03, 445.3493), "A100"),
    "7.7": ((1153.76, 428.537), "A100"),
    "7.5": ((978.0, 394.7), "A100"),
    "issue 2865": ((1449.8, 391.9), "RTX 3090"),
}

# Patterns in order: what is more particular comes first. The flag tells a sibling (the same chip on another board).
_NAMES: Final[tuple[tuple[str, str, bool], ...]] = (
    (r"rtx pro 6000", "RTX PRO 6000", False),
    (r"rtx 6000 ada|rtx 6000ada", "RTX 6000 Ada", False),
    (r"quadro rtx [68]000", "Quadro RTX 6000", False),
    (r"titan rtx", "Quadro RTX 6000", True),
    (r"titan v", "Titan V", False),
    (r"rtx 5070 ti", "RTX 5070 Ti", False),
    (r"rtx 5090", "RTX 5090", False),
    (r"rtx 4090", "RTX 4090", False),
    (r"rtx 4080", "RTX 4080", False),
    (r"rtx 3090", "RTX 3090", False),
    (r"rtx 3060 ti", "RTX 3060 Ti", False),
    (r"rtx 3060", "RTX 3060", False),
    (r"rtx 2080 ti", "RTX 2080 Ti", False),
    (r"rtx 2080", "RTX 2080", False),
    (r"rtx a6000", "A40", True),
    (r"\bgb10\b|dgx spark", "DGX Spark", False),
    (r"\bgb200\b|\bb200\b", "B200", False),
    (r"\bgh200\b", "H200", True),
    (r"\bh200\b", "H200", False),
    (r"\bh800\b", "H100", True),
    (r"\bh100\b", "H100", False),
    (r"\ba800\b", "A100", True),
    (r"\ba100x?\b", "A100", False),
    (r"\bl40s\b", "L40S", False),
    (r"\bl40g?\b", "L40", False),
    (r"\ba40\b", "A40", False),
    (r"\ba10g\b", "A10", True),
    (r"\ba10\b", "A10", False),
    (r"\bv100s?\b", "V100", False),
    (r"\bt4\b", "T4", False),
)

_SLICES_OF_A_CARD: Final = 7
_SLICE: Final = re.compile(r"\b(\d)g\.\d+gb")
_OTHER_BOARD: Final = re.compile(r"laptop|mobile|max q|super|\bd$")
_CPU_NAMES: Final = frozenset({CPU, "none"})

# OpenMM 7.7's CPU platform on the same two systems; how many cores a worker has nobody knows beforehand.
_CPU_SPEED: Final = GpuSpeed(
    model=CPU,
    latency_ms=0.05,
    small_ms=_STEP_FS * _MS_PER_DAY / _FS_PER_NS / 34.6443,
    large_ms=_STEP_FS * _MS_PER_DAY / _FS_PER_NS / 7.25955,
    slices=1.0,
    sd_log=1.2,
    source="openmm.org benchmarks, OpenMM 7.7, CPU platform",
)


def known_models() -> list[str]:
    """Names of the table, sorted."""
    return sorted(_PUBLISHED)


def is_cpu(name: str) -> bool:
    """Whether a GPU model's name says that there is none."""
    return name.strip().lower() in _CPU_NAMES


@lru_cache(maxsize=4096)
def speed_of(name: str) -> GpuSpeed | None:
    """Find a GPU model by the name its driver gives it.

    Parameters
    ----------
    name : str
        As `nvidia-smi --query-gpu=name` or `nvidia-smi -L` prints it, or short: `NVIDIA A100-SXM4-80GB`,
        `Tesla T4`, `NVIDIA A100-SXM4-40GB MIG 1g.5gb`, `L40S`. `cpu` means no GPU.

    Returns
    -------
    GpuSpeed or None
        None if nothing is published for it here.
    """
    if is_cpu(name):
        return _CPU_SPEED
    plain = " ".join(re.sub(r"[-_/]", " ", name.lower()).split())
    for pattern, model, sibling in _NAMES:
        if re.search(pattern, plain):
            other_board = sibling or _OTHER_BOARD.search(plain)
            return _published(model, _slices(plain), _SIBLING_SD if other_board else _LISTED_SD)
    return None


def unlisted() -> GpuSpeed:
    """Stand-in for a GPU model of no table: the reference, and a wide error."""
    reference = _published(REFERENCE_MODEL, 1.0, _UNLISTED_SD)
    return GpuSpeed("unlisted", reference.latency_ms, reference.small_ms, reference.large_ms, 1.0, _UNLISTED_SD, "none")


def _slices(plain: str) -> float:
    """Part of the card a MIG slice has."""
    found = _SLICE.search(plain)
    if not found:
        return 1.0
    return min(int(found.group(1)), _SLICES_OF_A_CARD) / _SLICES_OF_A_CARD


def _published(model: str, slices: float, sd_log: float) -> GpuSpeed:
    """The table's row, brought to the newest version."""
    small_ms, large_ms = _newest_ms(model)
    slope_ms = (large_ms - small_ms) / (_LARGE_ATOMS - _SMALL_ATOMS)
    latency_ms = max(small_ms - slope_ms * _SMALL_ATOMS, _LEAST_LATENCY_MS)
    sd = sd_log if slices == 1.0 else _SLICE_SD
    table = _PUBLISHED[model][2]
    source = f"github.com/openmm/openmm {table}" if table == "issue 2865" else f"OpenMM benchmarks, {table}"
    return GpuSpeed(model, latency_ms, small_ms, large_ms, slices, sd, source)


def _newest_ms(model: str) -> tuple[float, float]:
    """Milliseconds of a step at both sizes, as the newest version would take."""
    small, large, table = _PUBLISHED[model]
    ms = [_STEP_FS * _MS_PER_DAY / _FS_PER_NS / ns_per_day for ns_per_day in (small, large)]
    if table in _ANCHORS:
        there, anchor = _ANCHORS[table]
        now = _newest_ms(anchor)
        ms = [
            one * new * ns_per_day / (_STEP_FS * _MS_PER_DAY / _FS_PER_NS)
            for one, new, ns_per_day in zip(ms, now, there, strict=True)
        ]
    return ms[0], ms[1]
