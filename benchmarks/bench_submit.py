"""Submit and read back a network, compared with gufe's own serialisation and deserialisation of it.

1,000 ChemicalSystems share one protein of about 4,000 atoms, connected by 2,000 Transformations. Each direction is
timed from live objects to live objects, so that gufe's own work is part of ours, and once without gufe: from a file
written by gufe to the lake, and from the lake to its text. Run it with ``python -m benchmarks.bench_submit``.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gufe
import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.protocols.noop import NoOpProtocol
from alchemiscale_lake.statestore.submit import read_chain, submit_network
from alchemiscale_lake.store import Lake

from . import _table

NAME = "submit"
TARGET = "at most 1.5 times gufe's own serialise and deserialise, each way"

_TARGET_RATIO = 1.5
_SCOPE = "bench-mark-submit"


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time each direction, alternating between ours and gufe's; the best of three, as load only adds.

    Parameters
    ----------
    quick : bool
        Use 100 ChemicalSystems and 200 Transformations, once.

    Returns
    -------
    list of dict
        Rows with name, ours_s, reference_s, reference, ratio, target and ok.
    """
    n_systems, turns = (100, 1) if quick else (1_000, 3)
    times: dict[str, list[float]] = {name: [] for name in ("dumps", "submit", "submit file", "loads", "read", "text")}
    with tempfile.TemporaryDirectory() as folder:
        lake, key, text = _time_writing(times, n_systems, turns, Path(folder))
        gc.collect()
        for _ in range(turns):
            times["loads"].append(_seconds(lambda: _deserialise(text)))
            times["text"].append(_seconds(lambda: read_chain(lake, key)))
            times["read"].append(_seconds(lambda: _deserialise(read_chain(lake, key))))
    size = f"{n_systems:,} systems, {2 * n_systems:,} Transformations"
    return [
        _row(f"submit {size}, live", times["submit"], times["dumps"], "serialise"),
        _row(f"submit {size}, from file", times["submit file"], times["dumps"], "serialise"),
        _row(f"read back {size}, live", times["read"], times["loads"], "deserialise"),
        _row(f"read back {size}, as text", times["text"], times["loads"], "deserialise"),
    ]


def _time_writing(times: dict[str, list[float]], n_systems: int, turns: int, folder: Path) -> tuple[Lake, str, bytes]:
    """Return a lake with the network, its key there and its text, but not the network.

    gufe does not build an object again while it is alive: it would find all of them in its registry.
    """
    network = make_network(n_systems, 2 * n_systems)
    file = folder / "network.json"
    gufe_adapter.dump_network(network, file)
    for turn in range(turns):
        times["dumps"].append(_seconds(lambda: _serialise(network)))
        lake = Lake.create(folder / f"live-{turn}")
        times["submit"].append(_seconds(partial(submit_network, lake, network, _SCOPE)))
        lake = Lake.create(folder / f"file-{turn}")
        times["submit file"].append(_seconds(partial(submit_network, lake, file, _SCOPE)))
    return lake, f"{network.key}-{_SCOPE}", file.read_bytes()


def make_network(n_systems: int, n_transformations: int) -> gufe.AlchemicalNetwork:
    """Return a ring of ligands in one protein, with chords for the remaining Transformations."""
    protein, solvent, protocol = _protein(n_residues=400), gufe.SolventComponent(), NoOpProtocol.with_settings()
    mol = Chem.AddHs(Chem.MolFromSmiles("CC(=O)Nc1ccc(O)cc1"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=7)
    systems = [
        gufe.ChemicalSystem(
            {
                "ligand": gufe.SmallMoleculeComponent.from_rdkit(mol, name=f"lig{i:04d}"),
                "protein": protein,
                "solvent": solvent,
            },
            name=f"lig{i:04d}_complex",
        )
        for i in range(n_systems)
    ]
    pairs = [(i % n_systems, (i + 1 + i // n_systems) % n_systems) for i in range(n_transformations)]
    return gufe.AlchemicalNetwork(
        [gufe.Transformation(systems[a], systems[b], protocol, name=f"lig{a:04d}_lig{b:04d}") for a, b in pairs],
        name="bench",
    )


def _protein(n_residues: int) -> gufe.ProteinComponent:
    """Return a protein with about ten atoms per residue at random positions: only their number matters here."""
    sequence = ("GASVLKDF" * n_residues)[:n_residues]
    mol = Chem.AddHs(Chem.MolFromSequence(sequence), addResidueInfo=True)
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetPositions(np.random.default_rng(2026).uniform(0.0, 60.0, (mol.GetNumAtoms(), 3)).round(3))
    mol.AddConformer(conformer)
    return gufe.ProteinComponent(mol, name="protein")


def _serialise(network: Any) -> bytes:
    """Serialise as a keyed chain: newer gufe does it itself, for gufe 0.4 the adapter does."""
    if hasattr(network, "to_json"):
        return bytes(network.to_json().encode())
    return gufe_adapter.dumps_chain(network)


def _deserialise(text: bytes) -> Any:
    if hasattr(gufe.AlchemicalNetwork, "from_json"):
        return gufe.AlchemicalNetwork.from_json(content=text.decode())
    return gufe_adapter.loads_chain(text)


def _seconds(call: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    result = call()
    elapsed = time.perf_counter() - start
    del result
    return elapsed


def _row(name: str, ours: list[float], reference: list[float], what: str) -> dict[str, Any]:
    ours_s, reference_s = min(ours), min(reference)
    return {
        "name": name,
        "ours_s": ours_s,
        "reference_s": reference_s,
        "reference": f"gufe {gufe_adapter.gufe_version()} {what}",
        "ratio": ours_s / reference_s,
        "target": f"<= {_TARGET_RATIO:g}x",
        "ok": ours_s <= _TARGET_RATIO * reference_s,
    }


if __name__ == "__main__":
    _table.main(run)
