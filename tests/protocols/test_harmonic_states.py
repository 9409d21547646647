"""Harmonic states: paths, free energies, and the truth that follows from names."""

from __future__ import annotations

import math
from typing import Any

import gufe
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.errors import InvalidNetworkError
from alchemiscale_lake.protocols import harmonic_states
from alchemiscale_lake.protocols.harmonic import (
    HarmonicState,
    true_difference_kcal_mol,
    true_free_energy_kcal_mol,
)
from alchemiscale_lake.units import kt_kcal_mol
from tests import example_networks

spring_constants = st.floats(0.1, 10.0)


positions = st.floats(-3.0, 3.0)


offsets = st.floats(-5.0, 5.0)


states = st.tuples(spring_constants, positions, offsets)


@given(states, states, st.floats(250.0, 350.0))
def test_free_energy_is_that_of_the_partition_function(a: Any, b: Any, temperature_kelvin: float) -> None:
    kt = kt_kcal_mol(temperature_kelvin)
    x = np.linspace(-60.0, 60.0, 60_001)

    integrals = [np.sum(np.exp(-(u + 0.5 * k * (x - x0) ** 2) / kt)) * (x[1] - x[0]) for k, x0, u in (a, b)]
    found = harmonic_states.free_energy_kcal_mol(b, temperature_kelvin) - harmonic_states.free_energy_kcal_mol(
        a, temperature_kelvin
    )

    assert found == pytest.approx(-kt * math.log(integrals[1] / integrals[0]), abs=1e-9)


@given(states, states, st.integers(1, 12))
def test_path_runs_from_one_state_to_the_other(a: Any, b: Any, n_windows: int) -> None:
    path = harmonic_states.path(a, b, n_windows)

    assert len(path) == n_windows + 1
    assert path[0] == pytest.approx(a)
    assert path[-1] == pytest.approx(b)


def test_truth_closes_cycles_and_needs_no_harmonic_component() -> None:
    network = example_networks.legs_network(3, phases=example_networks.PHASES)
    truth = {system.name: true_free_energy_kcal_mol(system) for system in network.nodes}

    for edge in network.edges:
        assert true_difference_kcal_mol(edge) == pytest.approx(truth[edge.stateB.name] - truth[edge.stateA.name])
    # every environment has its own energies, so that binding and solvation differ from zero
    assert len(set(truth.values())) == 9


def test_truth_is_the_same_everywhere() -> None:
    # the numbers are part of the interface: networks made with either gufe, anywhere, must agree
    benzene = gufe.ChemicalSystem({"ligand": example_networks.small_molecule("benzene", "c1ccccc1")}, name="any")

    assert true_free_energy_kcal_mol(benzene) == pytest.approx(-1.3295344952774575, abs=1e-12)


def test_spring_constant_must_be_positive() -> None:
    with pytest.raises(InvalidNetworkError, match=r"'bad' must be positive, not 0\.0"):
        HarmonicState("bad", spring_constant_kcal_mol=0.0)


def test_two_harmonic_states_in_one_system_are_refused() -> None:
    system = gufe.ChemicalSystem({"a": HarmonicState("a"), "b": HarmonicState("b")}, name="twins")

    with pytest.raises(InvalidNetworkError, match="'twins' has 2"):
        true_free_energy_kcal_mol(system)
