"""Speed of molecular dynamics on GPU models, from published benchmarks.

Owns the table of published speeds, and the mapping of names as printed by `nvidia-smi` to its rows. The cost of an
alchemical calculation is in `features` and `cost`; nothing here was fitted to one.

Most rows are OpenMM's explicit-solvent PME benchmarks (4 fs, constraints on hydrogen, CUDA) of dihydrofolate reductase
(23,558 atoms) and apolipoprotein A1 (92,224 atoms). They were published for several versions of OpenMM, so each is
scaled to the newest by a model that both measured. Two sizes determine two numbers: the time of a step independent of
the system's size (latency: launches, synchronisation), and the additional time per atom.

Models without a published benchmark are scaled from one of the same or the neighbouring architecture, by the scarcer
of arithmetic and memory bandwidth in the vendor's data sheets, and are less certain.

References
----------
- openmm.org, data/benchmarks.json: OpenMM 8.4 (2026), 8.0 (2025, with RTX 5090), 7.7 (2022)
- T4: github.com/openmm/openmm, issue 2971 (OpenMM 7.5); RTX 3060 and 3060 Ti: issue 2865 (7.7)
- L4, A30, RTX 4070 Ti: github.com/OpenFreeEnergy/performance_benchmarks, plain MD of ten solvated proteins with OpenMM
  8.1.2; the straight line of step time over atoms, read at the two sizes
- P100: AMBER's dihydrofolate reductase on a V100 is 78 % faster (Dell, HPC white papers)
- NVIDIA data sheets: single-precision TFLOPS and GB/s
- MIG slices: NVIDIA Multi-Instance GPU user guide (an A100 or H100 has 7 compute slices)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CPU", "REFERENCE_MODEL", "GpuSpeed", "is_cpu", "known_models", "speed_of", "unlisted"]

FloatArray = NDArray[np.float64]

#: Reference for unknown GPU models: neither the slowest nor the fastest in use.
REFERENCE_MODEL: Final = "L40S"

#: GPU model of rows without a GPU.
CPU: Final = "cpu"

_SMALL_ATOMS: Final = 23_558
_LARGE_ATOMS: Final = 92_224
_STEP_FS: Final = 4.0
_MS_PER_DAY: Final = 86_400_000.0
_FS_PER_NS: Final = 1e6

# Minimum time of a step on any GPU of the tables, ms: kernels must be launched however little they do.
_LEAST_LATENCY_MS: Final = 0.06

# Log sd of the ratio between two listed models for alchemical work instead of the benchmark.
_LISTED_SD: Final = 0.15
# The same chip on another board: clocks and power limits differ.
_SIBLING_SD: Final = 0.22
# Scaled by data sheets: over the listed models, about this much is not explained by arithmetic and bandwidth.
_SCALED_SD: Final = 0.25
# A slice of a card shares its memory; these tables contain no measurements of slices.
_SLICE_SD: Final = 0.4
# Models in no table: the listed ones vary by about this much around the reference.
_UNLISTED_SD: Final = 0.7


@dataclass(frozen=True, slots=True)
class GpuSpeed:
    """Time of a step of plain molecular dynamics on a GPU model.

    Attributes
    ----------
    model : str
        Name in the table.
    latency_ms : float
        Time of a step independent of the system's size, ms.
    small_ms, large_ms : float
        Times of a step with 23,558 and with 92,224 atoms, ms.
    slices : float
        Available fraction of the card's compute (1 without MIG).
    sd_log : float
        Uncertainty of the ratio to another listed model, log standard deviation.
    source : str
        Source of the numbers.
    """

    model: str
    latency_ms: float
    small_ms: float
    large_ms: float
    slices: float
    sd_log: float
    source: str

    def step_ms(
        self, n_atoms: FloatArray, packing: FloatArray | float = 1.0, work: FloatArray | float = 1.0
    ) -> FloatArray:
        """Return the GPU time of one step, divided among concurrent calculations.

        Parameters
        ----------
        n_atoms : ndarray of float
            Atoms of the simulated system.
        packing : ndarray of float
            Number of concurrent calculations on the GPU. They hide each other's latency, but not each other's work.
        work : ndarray of float
            Work of a step relative to plain molecular dynamics.

        Returns
        -------
        ndarray of float
            Milliseconds of the whole GPU per step of one calculation.
        """
        exponent = np.log((self.large_ms - self.latency_ms) / (self.small_ms - self.latency_ms)) / np.log(
            _LARGE_ATOMS / _SMALL_ATOMS
        )
        work_ms = (self.small_ms - self.latency_ms) * (n_atoms / _SMALL_ATOMS) ** exponent / self.slices
        shared: FloatArray = self.latency_ms / np.maximum(packing, 1.0) + work * work_ms
        return shared


# model: (ns/day at 23,558 atoms, ns/day at 92,224 atoms, table)
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
    "L4": (727.2, 230.6, "openfe"),
    "A30": (590.5, 223.4, "openfe"),
    "RTX 4070 Ti": (1114.4, 384.9, "openfe"),
}

# model: (the model it is scaled from, work per unit of time relative to that model)
_SCALED: Final[dict[str, tuple[str, float]]] = {
    "RTX 5080": ("RTX 5070 Ti", 1.07),
    "RTX 5070": ("RTX 5070 Ti", 0.70),
    "RTX 5060 Ti": ("RTX 5070 Ti", 0.50),
    "RTX 4070 Ti SUPER": ("RTX 4070 Ti", 1.10),
    "RTX 4070 SUPER": ("RTX 4070 Ti", 0.89),
    "RTX 4070": ("RTX 4070 Ti", 0.73),
    "RTX 4060 Ti": ("RTX 4070 Ti", 0.55),
    "RTX 4060": ("RTX 4070 Ti", 0.38),
    "RTX 3080 Ti": ("RTX 3090", 0.96),
    "RTX 3080": ("RTX 3090", 0.81),
    "RTX 3070 Ti": ("RTX 3060 Ti", 1.34),
    "RTX 3070": ("RTX 3060 Ti", 1.00),
    "RTX 2070": ("RTX 2080", 0.74),
    "RTX 2060": ("RTX 2080", 0.64),
    "GTX 1080 Ti": ("RTX 2080 Ti", 0.79),
    "GTX 1080": ("RTX 2080 Ti", 0.52),
    "RTX 5000 Ada": ("RTX 6000 Ada", 0.60),
    "RTX 4500 Ada": ("RTX 6000 Ada", 0.43),
    "RTX 4000 Ada": ("RTX 6000 Ada", 0.29),
    "RTX A5000": ("RTX 3090", 0.78),
    "RTX A4500": ("RTX 3090", 0.67),
    "RTX A4000": ("RTX 3060 Ti", 1.00),
    "A2": ("T4", 0.56),
    "P100": ("V100", 0.56),
}

# Models shared with the newest table: (ns/day there, the same model's in the newest table or scaled to it)
_ANCHORS: Final[dict[str, tuple[tuple[float, float], str]]] = {
    "8.0": ((1276.03, 445.3493), "A100"),
    "7.7": ((1153.76, 428.537), "A100"),
    "7.5": ((978.0, 394.7), "A100"),
    "issue 2865": ((1449.8, 391.9), "RTX 3090"),
    "openfe": ((1202.0, 533.5), "L40S"),
}
_PLACES: Final = {
    "issue 2865": "github.com/openmm/openmm, issue 2865",
    "openfe": "github.com/OpenFreeEnergy/performance_benchmarks",
}

# Names that differ from the table's. The flag marks a sibling: the same chip on another board.
_ALIASES: Final[tuple[tuple[str, str, bool], ...]] = (
    (r"rtx (\d000) (?:sff )?ada|rtx (\d000)ada", r"RTX \1\2 Ada", False),
    (r"quadro rtx 8000", "Quadro RTX 6000", False),
    (r"titan rtx", "Quadro RTX 6000", True),
    (r"titan (?:x|xp)", "GTX 1080 Ti", True),
    (r"a6000", "A40", True),
    (r"\ba([245][05]00)\b", r"RTX A\1", False),
    (r"\bgb10\b", "DGX Spark", False),
    (r"\bgb200\b", "B200", False),
    (r"\bgh200\b", "H200", True),
    (r"\bh800\b", "H100", True),
    (r"\ba800\b", "A100", True),
    (r"\ba100x\b", "A100", False),
    (r"\bl40g\b", "L40", False),
    (r"\ba10g\b", "A10", True),
    (r"\bv100s\b", "V100", False),
)
# The table's own names, longest first, since an RTX 4070 Ti is not an RTX 4070.
_OWN_NAMES: Final = tuple(
    (re.compile(rf"\b{model.lower()}\b"), model) for model in sorted([*_PUBLISHED, *_SCALED], key=len, reverse=True)
)
_MULTIPLE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[x*×]\s*(\S.*)", re.IGNORECASE)

_SLICES_OF_A_CARD: Final = 7
_SLICE: Final = re.compile(r"\b(\d)g\.\d+gb")
_OTHER_BOARD: Final = re.compile(r"laptop|mobile|max q|sff|super|\bd$")
_CPU_NAMES: Final = frozenset({CPU, "none"})

# OpenMM 7.7's CPU platform on the same two systems; the number of cores of a worker is unknown beforehand.
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
    """Return the names in the table, sorted."""
    return sorted([*_PUBLISHED, *_SCALED])


def is_cpu(name: str) -> bool:
    """Return whether a GPU model's name means that there is no GPU."""
    return name.strip().lower() in _CPU_NAMES


@lru_cache(maxsize=4096)
def speed_of(name: str) -> GpuSpeed | None:
    """Return the speed of a GPU model by the name that its driver reports.

    Parameters
    ----------
    name : str
        As printed by `nvidia-smi --query-gpu=name` or `nvidia-smi -L`, or short: `NVIDIA A100-SXM4-80GB`, `Tesla T4`,
        `NVIDIA A100-SXM4-40GB MIG 1g.5gb`, `L40S`. `cpu` means no GPU. `0.8 x RTX 4090` is a GPU with 0.8 times the
        speed of an RTX 4090, for models without published data.

    Returns
    -------
    GpuSpeed or None
        None if no data is published for it here.
    """
    if is_cpu(name):
        return _CPU_SPEED
    multiple = _MULTIPLE.fullmatch(name)
    if multiple:
        of = speed_of(multiple[2]) if float(multiple[1]) > 0 else None
        return of and _scaled(f"{float(multiple[1]):g} x {of.model}", of, float(multiple[1]), "as given")
    plain = " ".join(re.sub(r"[-_/]", " ", name.lower()).split())
    model, sibling = _model_of(plain)
    if model is None:
        return None
    other_board = sibling or ("super" not in model.lower() and _OTHER_BOARD.search(plain) is not None)
    return _listed(model, _slices(plain), other_board=other_board)


def unlisted() -> GpuSpeed:
    """Return a placeholder for a GPU model in no table: the reference, with a large uncertainty."""
    return replace(_listed(REFERENCE_MODEL), model="unlisted", sd_log=_UNLISTED_SD, source="none")


def _slices(plain: str) -> float:
    """Return the fraction of the card in a MIG slice."""
    found = _SLICE.search(plain)
    if not found:
        return 1.0
    return min(int(found.group(1)), _SLICES_OF_A_CARD) / _SLICES_OF_A_CARD


def _model_of(plain: str) -> tuple[str | None, bool]:
    """Return the name in the table, and whether this is another board with its chip."""
    for pattern, alias, sibling in _ALIASES:
        found = re.search(pattern, plain)
        if found and (model := found.expand(alias)) in {*_PUBLISHED, *_SCALED}:
            return model, sibling
    return next((model for pattern, model in _OWN_NAMES if pattern.search(plain)), None), False


def _listed(model: str, slices: float = 1.0, *, other_board: bool = False) -> GpuSpeed:
    """Return the table's row, scaled to the newest version."""
    if model in _SCALED:
        of, work = _SCALED[model]
        speed = _scaled(model, _listed(of), work, f"NVIDIA data sheets, {work:g} x {of}")
    else:
        small_ms, large_ms = _newest_ms(model)
        slope_ms = (large_ms - small_ms) / (_LARGE_ATOMS - _SMALL_ATOMS)
        latency_ms = max(small_ms - slope_ms * _SMALL_ATOMS, _LEAST_LATENCY_MS)
        table = _PUBLISHED[model][2]
        source = _PLACES.get(table, f"OpenMM benchmarks, {table}")
        speed = GpuSpeed(model, latency_ms, small_ms, large_ms, 1.0, _LISTED_SD, source)
    if slices != 1.0:
        return replace(speed, slices=slices, sd_log=_SLICE_SD)
    return replace(speed, sd_log=max(speed.sd_log, _SIBLING_SD)) if other_board else speed


def _scaled(model: str, of: GpuSpeed, work: float, source: str) -> GpuSpeed:
    """Return a GPU with the latency of another, and a multiple of its speed."""
    small_ms, large_ms = (of.latency_ms + (ms - of.latency_ms) / work for ms in (of.small_ms, of.large_ms))
    return replace(of, model=model, small_ms=small_ms, large_ms=large_ms, sd_log=_SCALED_SD, source=source)


def _newest_ms(model: str) -> tuple[float, float]:
    """Return milliseconds of a step at both sizes, scaled to the newest version."""
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
