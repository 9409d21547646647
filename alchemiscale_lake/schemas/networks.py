"""Tables `networks` and `network_members`."""

from ._base import INT, STRING, STRINGS, TIME, Column, TableSchema

NETWORKS = TableSchema(
    name="networks",
    doc="One row per AlchemicalNetwork in a Scope; written last, it makes the network visible.",
    columns=(
        Column("scope", STRING, "Scope of the network."),
        Column("network", STRING, "ScopedKey of the network."),
        Column("key", STRING, "gufe key at ingestion."),
        Column("name", STRING, "Name given at submission, else the network's own.", nullable=True),
        Column("n_transformations", INT, "Number of Transformations."),
        Column("n_systems", INT, "Number of ChemicalSystems."),
        Column("creator", STRING, "User who submitted it."),
        Column("created_at", TIME, "Time of first submission."),
        Column("gufe_version", STRING, "gufe version at ingestion, if known.", nullable=True),
        Column(
            "made_by",
            STRING,
            "How the Scope got it; null for an imported network.",
            nullable=True,
            choices=("submit", "copy", "merge", "extend"),
            since=4,
        ),
        Column(
            "made_from",
            STRINGS,
            "ScopedKeys of the networks that it was copied or merged from, or that it extends.",
            nullable=True,
            since=4,
        ),
    ),
    key=("scope", "network"),
)

NETWORK_MEMBERS = TableSchema(
    name="network_members",
    doc="One row per Transformation or ChemicalSystem of a network.",
    columns=(
        Column("scope", STRING, "Scope of the network."),
        Column("network", STRING, "ScopedKey of the network."),
        Column("member", STRING, "ScopedKey of the Transformation or ChemicalSystem."),
        Column("kind", STRING, "Kind of member.", choices=("transformation", "system")),
    ),
    key=("scope", "network", "member"),
)
