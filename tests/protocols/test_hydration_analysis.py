"""BAR between two ends compared with analytic results."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.protocols._hydration_analysis import _overlap, hydration_free_energy
from alchemiscale_lake.units import KCAL_PER_KJ, kt_kcal_mol

pytest.importorskip("pymbar", reason="the chemistry extra is not installed")

from pymbar import bar, bar_overlap

TEMPERATURE_KELVIN = 298.15
KT = kt_kcal_mol(TEMPERATURE_KELVIN)


@given(dg=st.floats(-20, 20), width=st.floats(0.2, 2.5), n=st.integers(100, 400), seed=st.integers(0, 2**31))
def test_bar_meets_the_truth_of_gaussian_work(dg: float, width: float, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread, gap = width * KT, 0.5 * width**2 * KT
    vacuum = rng.normal(dg + gap, spread, n) / KCAL_PER_KJ
    solvent = rng.normal(dg - gap, spread, n) / KCAL_PER_KJ

    estimate = hydration_free_energy(vacuum, solvent, temperature_kelvin=TEMPERATURE_KELVIN)

    # hypothesis looks for the worst seed, so the bound is wider than the usual three
    assert abs(estimate.dg_kcal_mol - dg) < 5.5 * estimate.uncertainty_kcal_mol
    assert 0 < estimate.overlap <= 1 + 1e-9
    assert estimate.n_effective_vacuum <= n
    assert estimate.n_effective_solvent <= n


def test_uncertainty_counts_correlated_frames_once() -> None:
    rng = np.random.default_rng(5)
    vacuum, solvent = rng.normal(4.0, 3.0, 500), rng.normal(0.5, 3.0, 500)

    once = hydration_free_energy(vacuum, solvent, temperature_kelvin=TEMPERATURE_KELVIN)
    repeated = hydration_free_energy(np.repeat(vacuum, 8), np.repeat(solvent, 8), temperature_kelvin=TEMPERATURE_KELVIN)

    assert repeated.uncertainty_kcal_mol == pytest.approx(once.uncertainty_kcal_mol, rel=0.3)
    assert repeated.n_effective_vacuum == pytest.approx(500, rel=0.3)


@pytest.mark.filterwarnings("ignore:Unknown solver options")  # pymbar's MBAR to scipy
@pytest.mark.parametrize("gap_kj_mol", [0.0, 3.0, 9.0])
def test_overlap_is_that_of_mbar(gap_kj_mol: float) -> None:
    rng = np.random.default_rng(3)
    forward, reverse = rng.normal(gap_kj_mol, 2.0, 300), rng.normal(gap_kj_mol, 2.0, 200)

    overlap = _overlap(forward, reverse, float(bar(forward, reverse)["Delta_f"]))

    assert overlap == pytest.approx(bar_overlap(forward, reverse), rel=1e-6)


def test_a_nearly_rigid_molecule_is_analysed() -> None:
    rng = np.random.default_rng(4)
    vacuum, solvent = (6.7 + 0.01 * rng.normal(size=400) for _ in range(2))

    estimate = hydration_free_energy(vacuum, solvent, temperature_kelvin=TEMPERATURE_KELVIN)

    assert estimate.dg_kcal_mol == pytest.approx(6.7 * KCAL_PER_KJ, abs=1e-3)
    assert 0 < estimate.uncertainty_kcal_mol < 1e-3
