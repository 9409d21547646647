"""Table `transformations`: names, states, Protocol, mapping facts, features that cost follows."""

from ._base import FLOAT, INT, STRING, STRINGS, TIME, Column, TableSchema

#: Where a leg of a thermodynamic cycle takes place, judged by its components.
PHASES = ("complex", "solvent", "vacuum", "other")

TRANSFORMATIONS = TableSchema(
    name="transformations",
    doc="One row per Transformation in a Scope, read from its keyed dict without importing its classes.",
    columns=(
        Column("scope", STRING, "Scope the Transformation is shared in."),
        Column("transformation", STRING, "ScopedKey of the Transformation."),
        Column("key", STRING, "gufe key at ingestion."),
        Column("qualname", STRING, "`Transformation` or `NonTransformation`, or a subclass."),
        Column("name", STRING, "Its own name, else `<state A> -> <state B>`."),
        Column("phase", STRING, "Which leg of a cycle this is.", choices=PHASES),
        Column(
            "environment",
            STRING,
            "Of a complex leg: keys, joined by '+', of what both states share beside solvent (protein, cofactors).",
            nullable=True,
        ),
        Column("state_a", STRING, "gufe key of the first ChemicalSystem."),
        Column("state_b", STRING, "gufe key of the second; null for a NonTransformation.", nullable=True),
        Column("state_a_name", STRING, "Name of the first ChemicalSystem.", nullable=True),
        Column("state_b_name", STRING, "Name of the second.", nullable=True),
        Column("ligand_a", STRING, "gufe key of the component that only state A has.", nullable=True),
        Column("ligand_b", STRING, "gufe key of the component that only state B has.", nullable=True),
        Column("ligand_a_name", STRING, "Its name: a node of the network of ligands.", nullable=True),
        Column("ligand_b_name", STRING, "Its name: a node of the network of ligands.", nullable=True),
        Column("protocol", STRING, "gufe key of the Protocol."),
        Column("protocol_qualname", STRING, "Class of the Protocol."),
        Column("protocol_module", STRING, "Module of the Protocol's class.", nullable=True),
        Column("settings_json", STRING, "Settings of the Protocol, as JSON.", nullable=True),
        Column("mappings", STRINGS, "gufe keys of the atom mappings."),
        Column("n_mapped_atoms", INT, "Atoms in all mappings.", nullable=True),
        Column("mapping_score", FLOAT, "Score annotated on the mapping.", nullable=True),
        Column("n_atoms_a", INT, "Explicit atoms of state A (solvent not counted).", nullable=True),
        Column("n_atoms_b", INT, "Explicit atoms of state B.", nullable=True),
        Column("n_ligand_atoms_a", INT, "Atoms of ligand A.", nullable=True),
        Column("n_ligand_atoms_b", INT, "Atoms of ligand B.", nullable=True),
        Column("n_ligand_heavy_atoms_a", INT, "Heavy atoms of ligand A.", nullable=True),
        Column("n_ligand_heavy_atoms_b", INT, "Heavy atoms of ligand B.", nullable=True),
        Column("charge_change", INT, "Formal charge of ligand B less that of ligand A.", nullable=True),
        Column("ingested_at", TIME, "When the row was written."),
    ),
    key=("scope", "transformation"),
)
