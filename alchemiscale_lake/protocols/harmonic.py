"""HarmonicProtocol: a real free energy calculation with a known answer.

The path between two harmonic states is divided into windows; each samples both its ends exactly and independently, and
BAR estimates its free energy difference from the works in both directions. Estimates therefore scatter around the true
value as their uncertainties predict, and everything built on them can be tested against it.

References
----------
Bennett 1976, doi:10.1016/0021-9991(76)90078-4 (BAR); Shirts & Chodera 2008, doi:10.1063/1.2978177
(its uncertainty, as pymbar computes it).
"""

from __future__ import annotations

import csv
import logging
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import gufe
import numpy as np
from pydantic import Field

from ..errors import SettingsError
from ..gufe_adapter.authoring import LakeProtocol, LakeProtocolResult, energy
from ..units import kt_kcal_mol
from ._injection import FailureKind, InjectedFailureError, InjectionSettings, noise, talk, trouble
from .harmonic_states import (
    HarmonicState,
    State,
    harmonic_state,
    path,
    true_difference_kcal_mol,
    true_free_energy_kcal_mol,
)

__all__ = [
    "FailureKind",
    "HarmonicProtocol",
    "HarmonicProtocolResult",
    "HarmonicSettings",
    "HarmonicState",
    "InjectedFailureError",
    "harmonic_state",
    "true_difference_kcal_mol",
    "true_free_energy_kcal_mol",
]


class HarmonicSettings(InjectionSettings):
    """Settings of `HarmonicProtocol`."""

    n_samples: int = Field(default=100, ge=2, description="samples of each end of each window")
    n_windows: int = Field(default=3, ge=1, description="windows between the two states, one unit each")
    temperature_kelvin: float = Field(default=298.15, gt=0.0)
    seed: int | None = Field(
        default=None,
        ge=0,
        description="None: fresh randomness in every execution; a number: every execution of a Transformation alike",
    )
    keep_file: bool = Field(
        default=False, description="hand the works to the analysis through files in the shared directories"
    )


class HarmonicProtocolResult(LakeProtocolResult):
    """Mean over independent results; a result that another one extends is included in the latter."""

    def get_estimate(self) -> Any:
        """Return the mean of the estimates."""
        return energy(float(np.mean(self.data["estimates_kcal_mol"])))

    def get_uncertainty(self) -> Any:
        """Return the standard error of the mean, from the uncertainty of each result."""
        uncertainties = self.data["uncertainties_kcal_mol"]
        return energy(math.sqrt(sum(u * u for u in uncertainties)) / len(uncertainties))


class SetupUnit(gufe.ProtocolUnit):  # type: ignore[misc]
    """Defines the states between A and B."""

    @staticmethod
    def _execute(
        ctx: Any,
        *,
        stateA: Any,  # noqa: N803
        stateB: Any,  # noqa: N803
        settings: dict[str, Any],
        extends: str | None,
        **_: Any,
    ) -> dict[str, Any]:
        talk(settings, "setup", ctx)
        trouble(settings, "setup", Path(ctx.shared))
        states = path(harmonic_state(stateA), harmonic_state(stateB), settings["n_windows"])
        return {"states": [list(state) for state in states], "extends": extends}


class SampleUnit(gufe.ProtocolUnit):  # type: ignore[misc]
    """Samples both ends of one window."""

    @staticmethod
    def _execute(
        ctx: Any,
        *,
        setup: Any,
        window: int,
        settings: dict[str, Any],
        earlier: dict[str, list[float]],
        **_: Any,
    ) -> dict[str, Any]:
        name = _sample_name(window)
        talk(settings, name, ctx)
        trouble(settings, name, Path(ctx.shared))
        time.sleep(settings["duration_s"])
        ends = [tuple(state) for state in setup.outputs["states"][window : window + 2]]
        n_before = len(earlier["w_f"])
        forward, reverse = _works(ends[0], ends[1], settings, window, n_before)
        works = {"w_f": earlier["w_f"] + forward, "w_r": earlier["w_r"] + reverse}
        outputs: dict[str, Any] = {
            "window": window,
            "n_samples": len(works["w_f"]),
            **works,
            **noise(settings),
        }
        if settings["keep_file"]:
            outputs["works_file"] = _write_works(Path(ctx.shared) / f"works-{window:03d}.csv", works)
        return outputs


class AnalyseUnit(gufe.ProtocolUnit):  # type: ignore[misc]
    """Estimates each window by BAR and adds them up."""

    @staticmethod
    def _execute(ctx: Any, *, samples: list[Any], settings: dict[str, Any], **_: Any) -> dict[str, Any]:
        talk(settings, "analyse", ctx)
        trouble(settings, "analyse", Path(ctx.shared))
        kt = kt_kcal_mol(settings["temperature_kelvin"])
        windows = []
        for sample in samples:
            outputs = sample.outputs
            works = _read_works(outputs["works_file"]) if "works_file" in outputs else outputs
            windows.append([kt * number for number in _bar(works["w_f"], works["w_r"])])
        return {
            "estimate_kcal_mol": math.fsum(estimate for estimate, _ in windows),
            # the windows share no samples
            "uncertainty_kcal_mol": math.sqrt(math.fsum(uncertainty**2 for _, uncertainty in windows)),
            "windows_kcal_mol": windows,
            "n_samples": sum(sample.outputs["n_samples"] for sample in samples),
        }


class HarmonicProtocol(LakeProtocol):
    """Free energy difference of two harmonic states, by sampling and BAR.

    One setup unit, `n_windows` sampling units that may run concurrently, one analysis unit.
    """

    _settings_cls = HarmonicSettings
    result_cls: ClassVar[type[HarmonicProtocolResult]] = HarmonicProtocolResult

    def _units(self, state_a: Any, state_b: Any, extends: Any) -> list[Any]:
        settings = self.settings.model_dump(mode="json")
        before, earlier = _earlier_works(extends, settings["n_windows"])
        setup = SetupUnit(name="setup", stateA=state_a, stateB=state_b, settings=settings, extends=before)
        samples = [
            SampleUnit(name=_sample_name(k), setup=setup, window=k, settings=settings, earlier=earlier[k])
            for k in range(settings["n_windows"])
        ]
        return [setup, *samples, AnalyseUnit(name="analyse", samples=samples, settings=settings)]

    def _gather(self, protocol_dag_results: Iterable[Any]) -> dict[str, Any]:
        found: dict[str, dict[str, Any]] = {}
        extended = set()
        for dag_result in protocol_dag_results:
            setup = _outputs(dag_result, "states")
            analysis = _outputs(dag_result, "estimate_kcal_mol")
            for setup_key, outputs in setup.items():
                extended.add(outputs["extends"])
                found[setup_key] = next(iter(analysis.values()))
        kept = [outputs for setup_key, outputs in found.items() if setup_key not in extended]
        return {
            "estimates_kcal_mol": [outputs["estimate_kcal_mol"] for outputs in kept],
            "uncertainties_kcal_mol": [outputs["uncertainty_kcal_mol"] for outputs in kept],
        }


def _sample_name(window: int) -> str:
    return f"sample-{window:03d}"


def _outputs(dag_result: Any, having: str) -> dict[str, dict[str, Any]]:
    """Return, by unit key, the outputs that contain a given key."""
    return {str(r.source_key): r.outputs for r in dag_result.protocol_unit_results if r.ok() and having in r.outputs}


def _earlier_works(extends: Any, n_windows: int) -> tuple[str | None, list[dict[str, list[float]]]]:
    """Return the key of the setup unit to continue from, and the works sampled from it, by window."""
    if extends is None:
        return None, [{"w_f": [], "w_r": []} for _ in range(n_windows)]
    sampled = {outputs["window"]: outputs for outputs in _outputs(extends, "w_f").values()}
    if sorted(sampled) != list(range(n_windows)):
        raise SettingsError(
            f"a result with {len(sampled)} sampled windows cannot be extended with n_windows={n_windows}; "
            "extend a complete result of the same Transformation",
            n_windows=n_windows,
        )
    setup = next(iter(_outputs(extends, "states")))
    return setup, [{word: list(sampled[k][word]) for word in ("w_f", "w_r")} for k in range(n_windows)]


def _works(
    start: State, end: State, settings: dict[str, Any], window: int, n_before: int
) -> tuple[list[float], list[float]]:
    """Return reduced works from start to end and back, `n_samples` each."""
    kt = kt_kcal_mol(settings["temperature_kelvin"])
    if settings["seed"] is None:
        random = np.random.default_rng()
    else:
        # an extension, or another Transformation, must not draw the same numbers again
        states = [int(x) for x in np.array([*start, *end]).view(np.uint64)]
        random = np.random.default_rng([settings["seed"], window, n_before, *states])

    def reduced(x: Any, state: State) -> Any:
        spring_constant, position, offset = state
        return (offset + 0.5 * spring_constant * (x - position) ** 2) / kt

    works = []
    for here, there in ((start, end), (end, start)):
        x = random.normal(here[1], math.sqrt(kt / here[0]), settings["n_samples"])
        works.append([float(w) for w in reduced(x, there) - reduced(x, here)])
    return works[0], works[1]


def _bar(w_f: list[float], w_r: list[float]) -> tuple[float, float]:
    """Return a reduced free energy difference and its uncertainty."""
    if len({*w_f, *(-w for w in w_r)}) == 1:
        # the same potential at both ends (a NonTransformation, for example): nothing to solve
        return w_f[0], 0.0
    with _quiet_import():
        from pymbar.other_estimators import bar
    with np.errstate():  # pymbar changes numpy's error handling for the whole process
        found = bar(np.array(w_f), np.array(w_r), uncertainty_method="MBAR")
    return float(found["Delta_f"]), float(found["dDelta_f"])


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Keep pymbar's import banners, logged as warnings, out of the unit's output."""
    logger = logging.getLogger("pymbar")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _write_works(file: Path, works: dict[str, list[float]]) -> Path:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows(zip(works["w_f"], works["w_r"], strict=True))
    return file


def _read_works(file: Path) -> dict[str, list[float]]:
    with Path(file).open(newline="") as stream:
        rows = [(float(forward), float(reverse)) for forward, reverse in csv.reader(stream)]
    return {"w_f": [forward for forward, _ in rows], "w_r": [reverse for _, reverse in rows]}
