"""Plan relative hydration free energies of ten small molecules, with experimental values for comparison.

    python examples/freesolv_network.py -o network.json

writes an AlchemicalNetwork as openfe writes one, ready for `alchemiscale-lake submit network.json`.
The molecules and their experimental values are in `freesolv.csv` in this folder, from FreeSolv 0.52
(Mobley & Guthrie 2014, doi:10.1007/s10822-014-9747-x; https://github.com/MobleyLab/FreeSolv).

They belong to families that MMFF94 charges with OBC2 water describe well, so expect a centred RMSE near
0.8 kcal/mol. This is not representative of the method: over 47 small molecules of FreeSolv, including
carbonyls, azines, nitriles, nitro groups and chloroform, it is 2.9 kcal/mol.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gufe import AlchemicalNetwork, ChemicalSystem, SmallMoleculeComponent, SolventComponent, Transformation

from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.protocols.hydration import HydrationProtocol

MEASUREMENTS: Final = Path(__file__).with_name("freesolv.csv")

#: Five cycles; every molecule takes part in at least two edges.
EDGES: Final = (
    ("methane", "ethane"),
    ("methane", "methanol"),
    ("ethane", "ethanol"),
    ("ethane", "toluene"),
    ("methanol", "ethanol"),
    ("methanol", "methoxymethane"),
    ("ethanol", "methoxymethane"),
    ("methanol", "phenol"),
    ("ethanol", "acetamide"),
    ("benzene", "toluene"),
    ("benzene", "phenol"),
    ("benzene", "aniline"),
    ("phenol", "aniline"),
    ("aniline", "acetamide"),
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """A molecule and its experimental hydration free energy."""

    ligand: str
    smiles: str
    value_kcal_mol: float
    uncertainty_kcal_mol: float
    freesolv_id: str
    source: str


def read_measurements(file: Path = MEASUREMENTS) -> list[Measurement]:
    """Read the molecules with their experimental values."""
    with file.open(newline="") as stream:
        return [
            Measurement(
                ligand=row["ligand"],
                smiles=row["smiles"],
                value_kcal_mol=float(row["value_kcal_mol"]),
                uncertainty_kcal_mol=float(row["uncertainty_kcal_mol"]),
                freesolv_id=row["freesolv_id"],
                source=row["source"],
            )
            for row in csv.DictReader(stream)
        ]


def build_ligand(name: str, smiles: str) -> Any:
    """Build a component with hydrogens and one conformer, reproducibly."""
    from rdkit import Chem
    from rdkit.Chem import rdDistGeom

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if rdDistGeom.EmbedMolecule(molecule, randomSeed=2014) != 0:
        raise SystemExit(f"RDKit found no conformer of {name} ({smiles})")
    return SmallMoleculeComponent.from_rdkit(molecule, name=name)


def build_network(**settings: Any) -> Any:
    """Build the network; keywords override default settings of HydrationProtocol."""
    protocol = HydrationProtocol.with_settings(**settings)
    water = SolventComponent()
    systems = {
        measured.ligand: ChemicalSystem(
            {"ligand": build_ligand(measured.ligand, measured.smiles), "solvent": water},
            name=f"{measured.ligand} in water",
        )
        for measured in read_measurements()
    }
    edges = [
        Transformation(stateA=systems[a], stateB=systems[b], mapping=None, protocol=protocol, name=f"rhfe_{a}_{b}")
        for a, b in EDGES
    ]
    return AlchemicalNetwork(edges=edges, nodes=systems.values(), name="freesolv")


def main() -> None:
    """Write the network to the file given on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("network.json"), help="default: %(default)s")
    parser.add_argument(
        "--sampling-time-ps",
        type=float,
        default=200.0,
        help="for each ligand and phase; uncertainties scale with its inverse square root (default: %(default)s)",
    )
    arguments = parser.parse_args()
    network = build_network(sampling_time_ps=arguments.sampling_time_ps)
    dump_network(network, arguments.output)
    print(f"wrote {arguments.output} ({len(network.nodes)} molecules, {len(network.edges)} edges)")
    print(f"experimental values are in {MEASUREMENTS}")


if __name__ == "__main__":
    main()
