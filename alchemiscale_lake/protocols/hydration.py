"""HydrationProtocol: relative hydration free energies of small molecules, in minutes on any machine.

Owns the wiring: which ligands are accepted, the units, what they pass on and what their results mean. The physics is
in `_implicit_solvent`, the statistics in `_hydration_analysis`.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import gufe
import numpy as np
from pydantic import Field, model_validator

from ..errors import EstimationError, ExecutionError
from ..gufe_adapter.authoring import LakeProtocol, LakeProtocolResult, LakeSettings, energy
from . import _implicit_solvent as implicit
from ._hydration_analysis import hydration_free_energy

__all__ = ["HydrationProtocol", "HydrationProtocolResult", "HydrationSettings"]

_LIGANDS: Final = ("A", "B")
#: Elements with an mbondi2 radius; OpenMM would silently give any other one that of oxygen.
_ELEMENTS: Final = frozenset({"H", "C", "N", "O", "F", "Si", "P", "S", "Cl"})
_PHASES: Final[tuple[implicit.Medium, ...]] = ("vacuum", "solvent")


class HydrationSettings(LakeSettings):
    """Settings of `HydrationProtocol`."""

    force_field: str = Field(
        default="openff-2.2.1.offxml",
        description="an OpenFF force field; its constraints are used, so an unconstrained one needs a timestep of 1 fs",
    )
    partial_charges: str = Field(
        default="mmff94", description="mmff94 or gasteiger by RDKit, or a method of another toolkit openff finds"
    )
    temperature_kelvin: float = Field(default=298.15, gt=0.0)
    timestep_fs: float = Field(default=4.0, gt=0.0, le=5.0)
    hydrogen_mass_amu: float = Field(
        default=3.0, ge=1.0, le=4.0, description="hydrogens take this mass from the atoms that bear them"
    )
    friction_per_ps: float = Field(default=1.0, gt=0.0)
    equilibration_time_ps: float = Field(default=10.0, ge=0.0, description="of each ligand in each phase")
    sampling_time_ps: float = Field(default=200.0, gt=0.0, description="of each ligand in each phase")
    save_interval_ps: float = Field(default=0.5, gt=0.0, description="time between two frames that BAR sees")
    checkpoint_interval_ps: float = Field(
        default=25.0, gt=0.0, description="a killed sampling unit loses at most this much"
    )
    platform: Literal["Reference", "CPU", "CUDA", "OpenCL", "HIP"] = Field(
        default="Reference", description="of OpenMM; Reference is the fastest for a dozen atoms"
    )
    seed: int | None = Field(
        default=None, ge=0, description="None: every ProtocolDAG is an independent repeat; a number: all are alike"
    )

    @model_validator(mode="after")
    def _enough_frames(self) -> HydrationSettings:
        if self.save_interval_ps * 1000.0 < self.timestep_fs:
            raise ValueError(
                f"save_interval_ps {self.save_interval_ps} is shorter than one timestep of {self.timestep_fs} fs"
            )
        if self.sampling_time_ps < 20.0 * self.save_interval_ps:
            raise ValueError(
                f"sampling_time_ps {self.sampling_time_ps} has fewer than 20 frames of {self.save_interval_ps} ps; "
                "sample longer or save more often"
            )
        return self


class HydrationProtocolResult(LakeProtocolResult):
    """Mean over repeats, each the difference of two hydration free energies.

    `data` has `estimates_kcal_mol` and `uncertainties_kcal_mol`, one number per repeat, and `ligands`, per repeat the
    estimate and the sampling of ligands A and B.
    """

    def get_estimate(self) -> Any:
        """Return dG_hyd(B) - dG_hyd(A), the mean over repeats."""
        return energy(float(np.mean(self.data["estimates_kcal_mol"])))

    def get_uncertainty(self) -> Any:
        """Return the standard error of the mean.

        It is the larger of the propagated BAR uncertainties and the standard error from the scatter of the repeats:
        BAR cannot know of a conformer that a repeat never visited.
        """
        uncertainties, estimates = self.data["uncertainties_kcal_mol"], self.data["estimates_kcal_mol"]
        n = len(estimates)
        within = math.sqrt(math.fsum(u * u for u in uncertainties)) / n
        scatter = float(np.std(estimates, ddof=1)) / math.sqrt(n) if n > 1 else 0.0
        return energy(max(within, scatter))


class SetupUnit(gufe.ProtocolUnit):  # type: ignore[misc]
    """Parametrises and minimises both ligands in one unit, since loading the toolkits takes longest."""

    @staticmethod
    def _execute(ctx: Any, *, ligands: list[Any], settings: dict[str, Any], **_: Any) -> dict[str, Any]:
        from openmm import XmlSerializer

        outputs: dict[str, Any] = {}
        for label, ligand in zip(_LIGANDS, ligands, strict=True):
            system, positions = implicit.hydration_system(
                ligand.to_rdkit(),
                force_field=settings["force_field"],
                partial_charges=settings["partial_charges"],
                hydrogen_mass_amu=settings["hydrogen_mass_amu"],
            )
            file = Path(ctx.shared).resolve() / f"{label}-system.xml"
            file.write_text(XmlSerializer.serialize(system))
            starts = {
                phase: implicit.minimise(system, positions, phase=phase, platform=settings["platform"])
                for phase in _PHASES
            }
            outputs[label] = {
                "name": ligand.name,
                "n_atoms": len(positions),
                "system": file,
                "positions_nm": {phase: start.tolist() for phase, start in starts.items()},
            }
        return outputs


class SampleUnit(gufe.ProtocolUnit):  # type: ignore[misc]
    """Samples one ligand in one phase; if run again in the same shared directory, it continues."""

    @staticmethod
    def _execute(
        ctx: Any,
        *,
        setup: Any,
        ligand: str,
        phase: implicit.Medium,
        seed: int,
        start: dict[str, Any],
        settings: dict[str, Any],
        **_: Any,
    ) -> dict[str, Any]:
        prepared = setup.outputs[ligand]
        goes_on = bool(start["positions_nm"])
        positions = start["positions_nm"] or prepared["positions_nm"][phase]
        samples = implicit.sample(
            Path(prepared["system"]).read_text(),
            np.array(positions, dtype=np.float64),
            phase=phase,
            plan=_plan(settings, seed, equilibrate=not goes_on),
            checkpoint=Path(ctx.shared).resolve() / f"{ligand}-{phase}.checkpoint",
        )
        return {
            "ligand": ligand,
            "phase": phase,
            "generation": start["generation"],
            "solvation_kj_mol": samples.solvation_kj_mol.tolist(),
            "end_positions_nm": samples.end_positions_nm.tolist(),
            "n_resumed_frames": samples.n_resumed_frames,
        }


class AnalyseUnit(gufe.ProtocolUnit):  # type: ignore[misc]
    """Estimates both hydration free energies by BAR, and their difference."""

    @staticmethod
    def _execute(ctx: Any, *, samples: list[Any], settings: dict[str, Any], **_: Any) -> dict[str, Any]:
        works = {
            (sample.outputs["ligand"], sample.outputs["phase"]): np.array(sample.outputs["solvation_kj_mol"])
            for sample in samples
        }
        a, b = (
            hydration_free_energy(
                works[label, "vacuum"], works[label, "solvent"], temperature_kelvin=settings["temperature_kelvin"]
            )
            for label in _LIGANDS
        )
        return {
            "estimate_kcal_mol": b.dg_kcal_mol - a.dg_kcal_mol,
            # four independent simulations
            "uncertainty_kcal_mol": math.hypot(a.uncertainty_kcal_mol, b.uncertainty_kcal_mol),
            "A": asdict(a),
            "B": asdict(b),
        }


class HydrationProtocol(LakeProtocol):
    """Relative hydration free energy A -> B, dG_hyd(B) - dG_hyd(A), in implicit water.

    Each ligand is sampled in vacuum and in implicit water, and BAR between these two ends gives its hydration free
    energy (1 M gas to 1 M solution, FreeSolv's convention). One setup unit, four sampling units that may run
    concurrently (ligand A and B, vacuum and solvent), one analysis unit. No atom mapping is needed; a given one is
    ignored.

    Each ChemicalSystem has one neutral SmallMoleculeComponent with a conformer and one SolventComponent of water,
    whose ions are not modelled. The result is the complete edge, not one leg of a pair.

    Notes
    -----
    Water is `GBSAOBCForce`: OBC2 with mbondi2 radii, relative permittivity 78.5 outside and 1 inside, and
    for the nonpolar part the ACE approximation of the surface area at 2.25936 kJ/mol/nm^2 (0.0054 kcal/mol/A^2),
    probe radius 0.14 nm. There is no term for dispersion between solute and water.

    MMFF94 charges with OBC2 perform well for alkanes, alcohols, ethers, benzenes, thiols, amines and amides; other
    carbonyls, azines, nitriles, nitro groups and chloroform are solvated too strongly, by 2 to 11 kcal/mol.

    A ProtocolDAG that extends an earlier result starts where that sampling ended and is one more repeat for `gather`.
    """

    _settings_cls = HydrationSettings
    result_cls: ClassVar[type[HydrationProtocolResult]] = HydrationProtocolResult

    def _units(self, state_a: Any, state_b: Any, extends: Any) -> list[Any]:
        ligands = [_ligand(state_a, "A"), _ligand(state_b, "B")]
        if ligands[0] == ligands[1]:
            raise ExecutionError(
                f"both states contain the same ligand {ligands[0].name!r}, so there is nothing to transform; "
                "give two different ligands",
                ligand=ligands[0].name,
            )
        settings = self.settings.model_dump(mode="json")
        # drawn here and not in the unit: a unit that is run again continues what its first run began
        entropy = secrets.randbits(62) if settings["seed"] is None else settings["seed"]
        setup = SetupUnit(name="setup", ligands=ligands, settings=settings)
        samples = []
        for label in _LIGANDS:
            for phase in _PHASES:
                name = f"sample-{label}-{phase}"
                start = _start(extends, name)
                seed = _seed(entropy, name, start["generation"], *(ligand.smiles for ligand in ligands))
                samples.append(
                    SampleUnit(
                        name=name, setup=setup, ligand=label, phase=phase, seed=seed, start=start, settings=settings
                    )
                )
        return [setup, *samples, AnalyseUnit(name="analyse", samples=samples, settings=settings)]

    def _gather(self, protocol_dag_results: Iterable[Any]) -> dict[str, Any]:
        analyses = [_outputs(dag_result, "analyse") for dag_result in protocol_dag_results]
        if not analyses or None in analyses:
            raise EstimationError(
                "a ProtocolDAGResult without a finished analysis cannot be gathered; give at least one complete result",
                n_results=len(analyses),
            )
        found = [analysis for analysis in analyses if analysis is not None]
        return {
            "estimates_kcal_mol": [outputs["estimate_kcal_mol"] for outputs in found],
            "uncertainties_kcal_mol": [outputs["uncertainty_kcal_mol"] for outputs in found],
            "ligands": [{label: outputs[label] for label in _LIGANDS} for outputs in found],
        }


def _ligand(state: Any, label: str) -> Any:
    """Return the ligand of a ChemicalSystem; raise if this Protocol does not support it."""
    components = list(state.components.values())
    ligands = [c for c in components if isinstance(c, gufe.SmallMoleculeComponent)]
    solvents = [c for c in components if isinstance(c, gufe.SolventComponent)]
    if (len(ligands), len(solvents), len(components)) != (1, 1, 2):
        raise ExecutionError(
            f"state {label} has {sorted(type(c).__name__ for c in components)}; HydrationProtocol takes exactly one "
            "SmallMoleculeComponent and one SolventComponent",
            state=label,
        )
    ligand = ligands[0]
    if solvents[0].smiles != "O":
        raise ExecutionError(
            f"the solvent of state {label} is {solvents[0].smiles!r}; OBC2 is a model of water, SMILES 'O'",
            solvent=solvents[0].smiles,
        )
    atoms = list(ligand.to_rdkit().GetAtoms())
    if unknown := sorted({atom.GetSymbol() for atom in atoms} - _ELEMENTS):
        raise ExecutionError(
            f"ligand {ligand.name!r} contains {', '.join(unknown)}, for which OBC2 has no radius; it has radii for "
            f"{', '.join(sorted(_ELEMENTS))}",
            ligand=ligand.name,
            elements=unknown,
        )
    if charge := sum(atom.GetFormalCharge() for atom in atoms):
        raise ExecutionError(
            f"ligand {ligand.name!r} has charge {charge:+d}; these charges and this solvent model do not describe "
            "ions, give a neutral form",
            ligand=ligand.name,
            charge=charge,
        )
    return ligand


def _outputs(dag_result: Any, name: str) -> dict[str, Any] | None:
    """Return the outputs of the unit with this name, None if it never succeeded."""
    found: list[dict[str, Any]] = [
        result.outputs for result in dag_result.protocol_unit_results if result.name == name and result.ok()
    ]
    return found[-1] if found else None


def _start(extends: Any, name: str) -> dict[str, Any]:
    """Return the start of a sampling unit: its setup, or the end of the unit it extends."""
    if extends is None:
        return {"generation": 0, "positions_nm": []}
    earlier = _outputs(extends, name)
    if earlier is None:
        raise ExecutionError(
            f"the result to be extended has no finished unit {name!r}; extend a complete result of this Transformation",
            unit=name,
        )
    return {"generation": earlier["generation"] + 1, "positions_nm": earlier["end_positions_nm"]}


def _seed(*facts: Any) -> int:
    """Return a seed for OpenMM, which takes 31 bits and interprets 0 as "any"."""
    digest = hashlib.sha256(json.dumps(facts).encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2**31 - 1) + 1


def _plan(settings: dict[str, Any], seed: int, *, equilibrate: bool) -> implicit.SamplingPlan:
    steps_per_frame = max(1, round(1000.0 * settings["save_interval_ps"] / settings["timestep_fs"]))
    n_frames = round(settings["sampling_time_ps"] / settings["save_interval_ps"])
    equilibration_ps = settings["equilibration_time_ps"] if equilibrate else 0.0
    return implicit.SamplingPlan(
        temperature_kelvin=settings["temperature_kelvin"],
        timestep_fs=settings["timestep_fs"],
        friction_per_ps=settings["friction_per_ps"],
        n_equilibration_steps=round(1000.0 * equilibration_ps / settings["timestep_fs"]),
        n_frames=n_frames,
        steps_per_frame=steps_per_frame,
        frames_per_checkpoint=max(1, round(settings["checkpoint_interval_ps"] / settings["save_interval_ps"])),
        platform=settings["platform"],
        seed=seed,
    )
