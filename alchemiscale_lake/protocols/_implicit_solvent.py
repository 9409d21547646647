"""Sampling of a small molecule in implicit water: its OpenMM System, and restartable dynamics.

Owns the dynamics of `HydrationProtocol` and does not depend on gufe; `_hydration_analysis` turns samples into free
energies, `hydration` wires both into ProtocolUnits. One System contains both end states: the molecule's own forces are
in force group 0, the solvation force (OBC2 and its surface term) in group 1. Vacuum is dynamics under group 0, solvent
is dynamics under both, and the work from one to the other is the energy of group 1.

References
----------
Onufriev, Bashford & Case 2004 (OBC), doi:10.1002/prot.20033
Schaefer, Bartels & Karplus 1998 (the ACE surface term), doi:10.1006/jmbi.1998.2172
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from ..errors import ExecutionError, SettingsError

__all__ = [
    "Samples",
    "SamplingPlan",
    "hydration_system",
    "minimise",
    "sample",
    "solvation_energy_kj_mol",
]

Floats = npt.NDArray[np.float64]
Medium = Literal["vacuum", "solvent"]

#: Force group of the solvation force; everything else is in group 0.
SOLVATION_GROUP: Final = 1
#: Relative permittivities of the solvent (water at 298 K) and of the solute's interior.
SOLVENT_DIELECTRIC: Final = 78.5
SOLUTE_DIELECTRIC: Final = 1.0
#: Energy per solvent-accessible area of the nonpolar term; 0.0054 kcal/mol/A^2 of Schaefer et al.
SURFACE_TENSION_KJ_MOL_NM2: Final = 2.25936
_DIGEST_BYTES: Final = 32
_LOG: Final = logging.getLogger(__name__)
_GROUPS: Final[dict[str, set[int]]] = {"vacuum": {0}, "solvent": {0, SOLVATION_GROUP}}


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """Sampling parameters of one end state; equal plans with equal seeds give equal samples on one machine.

    Attributes
    ----------
    temperature_kelvin : float
        Temperature.
    timestep_fs : float
        Timestep.
    friction_per_ps : float
        Friction coefficient of the Langevin integrator.
    n_equilibration_steps : int
        Steps before the first frame.
    n_frames : int
        Number of frames.
    steps_per_frame : int
        Steps between two frames.
    frames_per_checkpoint : int
        Frames between two checkpoints.
    platform : str
        Platform of OpenMM.
    seed : int
        Seed of velocities and noise.
    """

    temperature_kelvin: float
    timestep_fs: float
    friction_per_ps: float
    n_equilibration_steps: int
    n_frames: int
    steps_per_frame: int
    frames_per_checkpoint: int
    platform: str
    seed: int


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one end state.

    Attributes
    ----------
    solvation_kj_mol : ndarray, shape (n_frames,)
        U_solvent - U_vacuum of every frame, kJ/mol.
    end_positions_nm : ndarray, shape (n_atoms, 3)
        Final positions, nm.
    n_resumed_frames : int
        Number of frames from a saved state.
    """

    solvation_kj_mol: Floats
    end_positions_nm: Floats
    n_resumed_frames: int


# --- systems ----------------------------------------------------------------------------------


def hydration_system(
    rdkit_molecule: Any, *, force_field: str, partial_charges: str, hydrogen_mass_amu: float
) -> tuple[Any, Floats]:
    """Build the System of one molecule in OBC2 water.

    Parameters
    ----------
    rdkit_molecule : rdkit.Chem.Mol
        With explicit hydrogens and one conformer.
    force_field : str
        An OpenFF force field, such as `openff-2.2.1.offxml`.
    partial_charges : str
        `mmff94` or `gasteiger` (computed by RDKit), or a method of another toolkit that openff-toolkit finds, such as
        `am1bcc`.
    hydrogen_mass_amu : float
        Mass of hydrogens; the excess is taken from the atoms they are bonded to.

    Returns
    -------
    tuple of (openmm.System, ndarray, shape (n_atoms, 3))
        The System, and the conformer's positions in nm.
    """
    from openff.interchange import Interchange
    from openff.toolkit import ForceField, Molecule

    molecule = Molecule.from_rdkit(rdkit_molecule, allow_undefined_stereo=True)
    molecule.assign_partial_charges(partial_charges, **_charge_toolkit(partial_charges))
    topology = molecule.to_topology()
    interchange = Interchange.from_smirnoff(ForceField(force_field), topology, charge_from_molecules=[molecule])
    system = interchange.to_openmm_system(combine_nonbonded_forces=True, hydrogen_mass=hydrogen_mass_amu)
    _solvate(system, topology.to_openmm())
    return system, np.asarray(molecule.conformers[0].m_as("nanometer"), dtype=np.float64)


def _charge_toolkit(method: str) -> dict[str, Any]:
    """Return the toolkit for RDKit's own methods, so that no other toolkit computes them."""
    if method not in ("mmff94", "gasteiger"):
        return {}
    from openff.toolkit.utils import RDKitToolkitWrapper

    return {"toolkit_registry": RDKitToolkitWrapper()}


def _solvate(system: Any, topology: Any) -> None:
    """Put the vacuum System's forces into group 0, and add the solvation force in its own group."""
    import openmm
    from openmm.app.internal.customgbforces import GBSAOBC2Force

    # Langevin dynamics may move the centre of mass, which does not matter here
    for index in reversed(range(system.getNumForces())):
        if isinstance(system.getForce(index), openmm.CMMotionRemover):
            system.removeForce(index)
    (nonbonded,) = (force for force in system.getForces() if isinstance(force, openmm.NonbondedForce))
    nonbonded.setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
    solvation = openmm.GBSAOBCForce()
    solvation.setNonbondedMethod(openmm.GBSAOBCForce.NoCutoff)
    solvation.setSolventDielectric(SOLVENT_DIELECTRIC)
    solvation.setSoluteDielectric(SOLUTE_DIELECTRIC)
    solvation.setSurfaceAreaEnergy(SURFACE_TENSION_KJ_MOL_NM2)
    solvation.setForceGroup(SOLVATION_GROUP)
    for index, (radius_nm, scale) in enumerate(GBSAOBC2Force.getStandardParameters(topology)):
        charge, _, _ = nonbonded.getParticleParameters(index)
        solvation.addParticle(charge, radius_nm, scale)
    system.addForce(solvation)


# --- sampling ---------------------------------------------------------------------------------


def minimise(system: Any, positions_nm: Floats, *, phase: Medium, platform: str) -> Floats:
    """Return positions (n_atoms, 3), nm, at a nearby minimum of the phase's energy.

    Parameters
    ----------
    system : object
        OpenMM System.
    positions_nm : ndarray, shape (n_atoms, 3)
        Start.
    phase : Medium
        `vacuum` or `solvent`.
    platform : str
        Platform of OpenMM.
    """
    import openmm

    context = _context(system, openmm.VerletIntegrator(0.001), phase=phase, platform=platform)
    context.setPositions(positions_nm)
    openmm.LocalEnergyMinimizer.minimize(context)
    return _positions_nm(context)


def solvation_energy_kj_mol(system: Any, positions_nm: Floats, *, platform: str = "Reference") -> float:
    """Return U_solvent - U_vacuum of one conformer, kJ/mol.

    Parameters
    ----------
    system : object
        OpenMM System.
    positions_nm : ndarray, shape (n_atoms, 3)
        Conformer.
    platform : str, default "Reference"
        Platform of OpenMM.
    """
    import openmm

    context = _context(system, openmm.VerletIntegrator(0.001), phase="solvent", platform=platform)
    context.setPositions(positions_nm)
    return _solvation_energy(context)


def sample(system_xml: str, positions_nm: Floats, *, phase: Medium, plan: SamplingPlan, checkpoint: Path) -> Samples:
    """Sample one end state at constant temperature.

    The state is saved to `checkpoint` regularly, each time replacing the file atomically. Called again with the same
    file, it continues from there, with the same result as an uninterrupted run; a file that is truncated, altered, or
    from another molecule, plan, platform or OpenMM is not used.

    Parameters
    ----------
    system_xml : str
        A System of `hydration_system`, serialised by OpenMM.
    positions_nm : ndarray, shape (n_atoms, 3)
        Initial positions, nm.
    phase : Medium
        `vacuum` or `solvent`.
    plan : SamplingPlan
        Sampling parameters.
    checkpoint : Path
        File that keeps the state.

    Raises
    ------
    SettingsError
        If this OpenMM lacks the platform.
    ExecutionError
        If the dynamics produces numbers that are not finite.
    """
    import openmm

    fingerprint = _fingerprint(system_xml, positions_nm, phase, plan)
    context = _context(
        openmm.XmlSerializer.deserialize(system_xml), _integrator(plan), phase=phase, platform=plan.platform
    )
    energies = _resume(context, checkpoint, fingerprint)
    if energies is None:
        energies = np.empty(0)
        _start(context, positions_nm, plan)
    n_resumed = len(energies)
    while len(energies) < plan.n_frames:
        n_more = min(plan.frames_per_checkpoint, plan.n_frames - len(energies))
        energies = np.concatenate([energies, _run(context, n_more, plan)])
        _save(context, energies, checkpoint, fingerprint)
    return Samples(energies, _positions_nm(context), n_resumed)


def _integrator(plan: SamplingPlan) -> Any:
    import openmm

    integrator = openmm.LangevinMiddleIntegrator(plan.temperature_kelvin, plan.friction_per_ps, plan.timestep_fs * 1e-3)
    integrator.setRandomNumberSeed(plan.seed)
    return integrator


def _context(system: Any, integrator: Any, *, phase: Medium, platform: str) -> Any:
    import openmm

    integrator.setIntegrationForceGroups(_GROUPS[phase])
    try:
        chosen = openmm.Platform.getPlatformByName(platform)
    except openmm.OpenMMException as e:
        names = [openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())]
        raise SettingsError(
            f"OpenMM has no platform {platform!r} here; it has {', '.join(names)}", platform=platform
        ) from e
    properties = {"Precision": "mixed"} if "Precision" in chosen.getPropertyNames() else {}
    return openmm.Context(system, integrator, chosen, properties)


def _start(context: Any, positions_nm: Floats, plan: SamplingPlan) -> None:
    # an unusable state may have been loaded partially
    context.reinitialize()
    context.setPositions(positions_nm)
    context.applyConstraints(1e-6)
    context.setVelocitiesToTemperature(plan.temperature_kelvin, plan.seed)
    context.getIntegrator().step(plan.n_equilibration_steps)


def _run(context: Any, n_frames: int, plan: SamplingPlan) -> Floats:
    integrator = context.getIntegrator()
    energies = np.empty(n_frames)
    for frame in range(n_frames):
        integrator.step(plan.steps_per_frame)
        energies[frame] = _solvation_energy(context)
    if not np.isfinite(energies).all():
        raise ExecutionError(
            f"the dynamics produced NaN or infinity; use a shorter timestep than {plan.timestep_fs} fs "
            "or check the ligand's conformer",
            timestep_fs=plan.timestep_fs,
        )
    return energies


def _solvation_energy(context: Any) -> float:
    from openmm import unit

    energy = context.getState(getEnergy=True, groups={SOLVATION_GROUP}).getPotentialEnergy()
    return float(energy.value_in_unit(unit.kilojoule_per_mole))


def _positions_nm(context: Any) -> Floats:
    from openmm import unit

    positions = context.getState(getPositions=True).getPositions(asNumpy=True)
    return np.asarray(positions.value_in_unit(unit.nanometer), dtype=np.float64)


# --- the saved state --------------------------------------------------------------------------


def _fingerprint(system_xml: str, positions_nm: Floats, phase: Medium, plan: SamplingPlan) -> str:
    """Return a digest that must match for a saved state to be continued."""
    import openmm

    facts = [openmm.__version__, phase, asdict(plan), system_xml, positions_nm.tolist()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _save(context: Any, energies: Floats, checkpoint: Path, fingerprint: str) -> None:
    """Write frames and OpenMM state atomically as one file."""
    archive = io.BytesIO()
    state = np.frombuffer(context.createCheckpoint(), dtype=np.uint8)
    np.savez(archive, fingerprint=np.array(fingerprint), solvation_kj_mol=energies, state=state)
    content = archive.getvalue()
    temporary = checkpoint.with_name(checkpoint.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(hashlib.sha256(content).digest() + content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(checkpoint)


def _resume(context: Any, checkpoint: Path, fingerprint: str) -> Floats | None:
    """Load the saved state into the context and return its frames, or None if no usable state exists."""
    import openmm

    if not checkpoint.is_file():
        return None
    content = checkpoint.read_bytes()
    digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        _LOG.warning("saved state %s is damaged; starting from the beginning", checkpoint)
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as saved:
        if str(saved["fingerprint"]) != fingerprint:
            _LOG.warning(
                "saved state %s is of another calculation or OpenMM version; starting from the beginning", checkpoint
            )
            return None
        try:
            context.loadCheckpoint(saved["state"].tobytes())
        except openmm.OpenMMException as e:  # binary, and specific to one kind of machine
            _LOG.warning("OpenMM cannot load saved state %s (%s); starting from the beginning", checkpoint, e)
            return None
        return np.array(saved["solvation_kj_mol"], dtype=np.float64)
