"""Table `gufe_objects`: the objects of networks, as they were written."""

from ._base import BINARY, INT, STRING, STRINGS, TIME, Column, TableSchema

GUFE_OBJECTS = TableSchema(
    name="gufe_objects",
    doc="One row per gufe object in a Scope, stored as the keyed dict it arrived as.",
    columns=(
        Column("scope", STRING, "Scope the object is shared in."),
        Column("key", STRING, "gufe key at ingestion; never recomputed."),
        Column("qualname", STRING, "Class name."),
        Column("module", STRING, "Module of the class.", nullable=True),
        Column("name", STRING, "The object's own name.", nullable=True),
        Column("keyed_dict", BINARY, "Keyed dict: JSON text, compressed with zstd."),
        Column("digest", STRING, "SHA-256 of the canonical JSON of the keyed dict."),
        Column("refers_to", STRINGS, "gufe keys this object refers to directly."),
        Column("n_bytes", INT, "Size of the JSON text, bytes."),
        Column("gufe_version", STRING, "gufe version at ingestion, if known.", nullable=True),
        Column("ingested_at", TIME, "When the row was written."),
    ),
    key=("scope", "key"),
)
