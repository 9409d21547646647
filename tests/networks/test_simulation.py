"""Simulation parameters from settings, for common and for unknown Protocols."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.networks.simulation import SimulationFacts, simulation_facts
from alchemiscale_lake.protocols.harmonic import HarmonicProtocol
from alchemiscale_lake.protocols.hydration import HydrationProtocol


def quantity(magnitude: float, unit: str) -> dict[str, Any]:
    return {"magnitude": magnitude, "unit": unit, ":is_custom:": True, "pint_unit_registry": "openff_units"}


def length(production: float, equilibration: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "equilibration_length": quantity(equilibration, "nanosecond"),
        "production_length": quantity(production, "nanosecond"),
        **more,
    }


ABSOLUTE = {
    "protocol_repeats": 3,
    "integrator_settings": {"timestep": quantity(4.0, "femtosecond")},
    "solvent_solvation_settings": {"solvent_padding": quantity(1.5, "nanometer"), "box_shape": "cube"},
    "complex_solvation_settings": {"solvent_padding": quantity(1.0, "nanometer"), "box_shape": "dodecahedron"},
    "solvent_equil_simulation_settings": length(0.5, 0.2),
    "complex_equil_simulation_settings": length(5.0, 0.5),
    "solvent_simulation_settings": length(10.0, 1.0, n_replicas=14),
    "complex_simulation_settings": length(12.0, 1.0, n_replicas=30),
}


def test_of_several_phases_the_one_of_the_transformation_counts() -> None:
    bound = simulation_facts("AbsoluteBindingProtocol", ABSOLUTE, "complex")
    free = simulation_facts("AbsoluteBindingProtocol", ABSOLUTE, "solvent")

    assert bound == SimulationFacts(13.0, 30, 3, 4.0, 1.0, "dodecahedron", True)
    assert free == SimulationFacts(11.0, 14, 3, 4.0, 1.5, "cube", True)


def test_absolute_solvation_takes_the_leg_in_solvent() -> None:
    settings = {
        "vacuum_equil_simulation_settings": length(0.2),
        "vacuum_simulation_settings": length(2.0, 0.5, n_replicas=14),
        "solvent_equil_simulation_settings": length(0.5),
        "solvent_simulation_settings": length(9.5, 1.0, n_replicas=14),
        "integrator_settings": {"timestep": "4.0 femtosecond"},
        "solvation_settings": {"solvent_padding": "1.2 nanometer"},
        "protocol_repeats": 3,
    }
    found = simulation_facts("AbsoluteSolvationProtocol", settings, "solvent")
    assert (found.simulated_ns, found.n_windows, found.timestep_fs) == (10.5, 14, 4.0)
    assert found.solvent_padding_nm == pytest.approx(1.2)


def test_cycles_of_feflow_are_two_equilibria_and_two_switches() -> None:
    settings = {
        "integrator_settings": {
            "timestep": quantity(4.0, "femtosecond"),
            "equilibrium_steps": 12_500,
            "nonequilibrium_steps": 12_500,
        },
        "num_cycles": 100,
        "solvation_settings": {"solvent_padding": quantity(1.2, "nanometer")},
    }
    found = simulation_facts("NonEquilibriumCyclingProtocol", settings, "complex")
    assert found.simulated_ns == pytest.approx(0.2)
    assert (found.n_windows, found.timestep_fs, found.explicit_solvent) == (100, 4.0, True)


def test_our_own_protocols() -> None:
    hydration = HydrationProtocol.with_settings(sampling_time_ps=300.0, equilibration_time_ps=20.0)
    found = simulation_facts("HydrationProtocol", hydration.settings.model_dump(mode="json"), "solvent")
    assert found.simulated_ns == pytest.approx(0.32)
    assert (found.n_windows, found.timestep_fs, found.explicit_solvent) == (4, 4.0, False)

    harmonic = HarmonicProtocol.with_settings(n_windows=5)
    found = simulation_facts("HarmonicProtocol", harmonic.settings.model_dump(mode="json"), "other")
    assert found == SimulationFacts(n_windows=5, explicit_solvent=False)


@pytest.mark.parametrize(
    ("settings", "simulated_ns"),
    [
        ({"sampling_time_ps": 500}, 0.5),
        ({"md": {"sampling_time_ns": 2, "equilibration_time_ps": 500}}, 2.5),
        ({"simulation_time": "3 ns"}, 3.0),
        ({"production_length": 2.5}, 2.5),
        ({"timestep_fs": 2, "production_steps": 1_000_000, "equilibration_steps": 500_000}, 3.0),
        ({"production_steps": 1_000_000}, None),
        ({"production_length": "a while"}, None),
        ({"production_length": "1.2.3 ns"}, None),
        ({"production_length": True}, None),
        ({"production_length": float("nan")}, None),
        ({"production_length": quantity(3.0, "parsec")}, None),
        ({"production_length": None, "simulation_length_ns": 4.0}, 4.0),
    ],
)
def test_lengths_in_any_form(settings: dict[str, Any], simulated_ns: float | None) -> None:
    found = simulation_facts("UnheardOfProtocol", settings, "solvent").simulated_ns
    assert found == (None if simulated_ns is None else pytest.approx(simulated_ns))


def test_windows_are_counted_or_are_as_many_as_a_schedule_has() -> None:
    assert simulation_facts("P", {"lambda_settings": {"lambda_elec": [0.0] * 7}}, "solvent").n_windows == 7
    assert simulation_facts("P", {"x": {"lambda_windows": 11}}, "solvent").n_windows == 11
    assert simulation_facts("P", {"n_windows": "many"}, "solvent").n_windows is None


@pytest.mark.parametrize("absurd", [1e308, 10**400, float("inf"), float("nan"), -1, True])
def test_absurd_numbers_are_no_numbers(absurd: float) -> None:
    settings = {"n_replicas": absurd, "production_length_ns": absurd, "timestep": quantity(absurd, "femtosecond")}
    assert simulation_facts("P", settings, "other") == SimulationFacts()


def test_nothing_is_known_without_settings_and_vacuum_has_no_box() -> None:
    assert simulation_facts("P", None, "other") == SimulationFacts()
    boxed = {"solvation_settings": {"solvent_padding": quantity(1.0, "nanometer"), "box_shape": "cube"}}
    assert simulation_facts("P", boxed, "vacuum") == SimulationFacts()


NAMES = [
    "timestep",
    "time_step_fs",
    "production_length",
    "equilibration_length",
    "n_replicas",
    "lambda_elec",
    "padding",
]
VALUES = (
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.sampled_from(["5 ns", "1 nm"])
)


@given(
    st.recursive(
        st.dictionaries(st.sampled_from([*NAMES, "x", "magnitude", "unit"]), VALUES | st.lists(VALUES, max_size=3)),
        lambda inner: st.dictionaries(st.sampled_from([*NAMES, "solvent_settings"]), inner | VALUES, max_size=4),
        max_leaves=8,
    ),
    st.sampled_from(["HydrationProtocol", "NonEquilibriumCyclingProtocol", "P"]),
)
def test_numbers_are_sensible_or_none_for_all_settings(settings: dict[str, Any], qualname: str) -> None:
    found = simulation_facts(qualname, settings, "solvent")
    for value in (found.simulated_ns, found.timestep_fs, found.solvent_padding_nm):
        assert value is None or 0.0 <= value < float("inf")
    for count in (found.n_windows, found.n_repeats):
        assert count is None or 1 <= count < 2**53
