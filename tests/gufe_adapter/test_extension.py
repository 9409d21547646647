"""New ligands get edges from a planner, and these the legs of the network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gufe
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from alchemiscale_lake.errors import InvalidNetworkError, MissingDependencyError, NotFoundError, SettingsError
from alchemiscale_lake.gufe_adapter.extension import extended_network, konnektor_planner, load_planner, read_ligands
from tests.example_networks import PHASES, legs_network, non_transformation, small_molecule

NEW = [small_molecule("new1", "Brc1ccccc1"), small_molecule("new2", "Sc1ccccc1")]
NETWORK = legs_network(3, PHASES)


def chain(known: Sequence[Any], mappings: Sequence[Any], new: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Join every new ligand to the first one."""
    first = min(known, key=lambda one: one.name)
    return [(first, one) for one in new]


def write_sdf(path: Path, *names: str) -> Path:
    with Chem.SDWriter(str(path)) as writer:
        for i, name in enumerate(names):
            molecule = Chem.AddHs(Chem.MolFromSmiles("C" * (i + 1)))
            AllChem.EmbedMolecule(molecule, randomSeed=7)
            molecule.SetProp("_Name", name)
            writer.write(molecule)
    return path


def test_every_new_edge_gets_the_legs_of_the_network() -> None:
    grown, names = extended_network(NETWORK, NEW, chain, name="grown")
    added = grown.edges - NETWORK.edges
    assert (grown.name, names) == ("grown", ["new1", "new2"])
    assert grown.edges > NETWORK.edges
    assert sorted(str(edge.name) for edge in added) == sorted(
        f"rbfe_lig0_{phase}_{new}_{phase}" for phase in PHASES for new in ("new1", "new2")
    )
    for edge in added:
        phase = edge.stateA.name.split("_")[1]
        (like,) = [e for e in NETWORK.edges if e.name == f"rbfe_lig0_{phase}_lig1_{phase}"]
        assert edge.stateA == like.stateA, "a system that the network has is used"
        assert edge.protocol == like.protocol
        others = {label: c for label, c in edge.stateB.components.items() if label != "ligand"}
        assert others == {label: c for label, c in like.stateA.components.items() if label != "ligand"}
        assert edge.stateB.components["ligand"] in NEW


def test_ligands_that_the_network_has_are_left_out() -> None:
    lig0 = next(iter(e.stateA for e in NETWORK.edges if "lig0" in e.stateA.name)).components["ligand"]
    assert extended_network(NETWORK, [lig0, NEW[0]], chain, name="grown")[1] == ["new1"]
    with pytest.raises(InvalidNetworkError, match="none of the 1 ligands is new"):
        extended_network(NETWORK, [lig0], chain, name="grown")


def test_what_cannot_be_extended_is_refused() -> None:
    with pytest.raises(InvalidNetworkError, match="no edge to new1, new2"):
        extended_network(NETWORK, NEW, lambda *_: [], name="grown")
    stranger = small_molecule("stranger", "CC")
    with pytest.raises(InvalidNetworkError, match="not two of the ligands"):
        extended_network(NETWORK, NEW, lambda known, _, new: [(stranger, one) for one in new], name="grown")
    with pytest.raises(InvalidNetworkError, match="'lig0'"):
        extended_network(NETWORK, [small_molecule("lig0", "CCC")], chain, name="grown")
    with pytest.raises(InvalidNetworkError, match="changes one component"):
        extended_network(gufe.AlchemicalNetwork([non_transformation()]), NEW, chain, name="grown")


def test_ligands_are_read_by_their_names(tmp_path: Path) -> None:
    found = read_ligands(write_sdf(tmp_path / "new.sdf", "one", "two"))
    assert [(type(one).__name__, one.name) for one in found] == [
        ("SmallMoleculeComponent", "one"),
        ("SmallMoleculeComponent", "two"),
    ]


@pytest.mark.parametrize(
    ("text", "message"), [(None, "no such file"), ("", "no molecule"), ("x\n", "cannot be read"), ("name", "no name")]
)
def test_a_file_without_named_molecules_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "new.sdf"
    if text == "name":
        write_sdf(path, "")
    elif text is not None:
        path.write_text(text)
    with pytest.raises(InvalidNetworkError, match=message):
        read_ligands(path)


def test_planners_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def propose(known, mappings, new):\n    return []\n")
    assert load_planner("konnektor") is konnektor_planner
    assert load_planner(f"{tmp_path / 'mine.py'}:propose")([], [], []) == []
    assert load_planner(f"{__name__}:chain") is chain
    for text in ("nothing", "no.such:module"):
        with pytest.raises(NotFoundError, match="there is no planner"):
            load_planner(text)
    with pytest.raises(SettingsError, match="has no 'proposed'; did you mean 'propose'"):
        load_planner(f"{tmp_path / 'mine.py'}:proposed")


def test_without_konnektor_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "konnektor", None)
    monkeypatch.setitem(sys.modules, "konnektor.network_planners", None)
    with pytest.raises(MissingDependencyError, match="conda install -c conda-forge konnektor kartograf"):
        konnektor_planner([], [], NEW)
