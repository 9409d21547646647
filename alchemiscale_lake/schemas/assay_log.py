"""Table `assay_log`: experimental values that were withdrawn, and entered again."""

from ._base import FLOAT, STRING, TIME, Column, TableSchema

ASSAY_LOG = TableSchema(
    name="assay_log",
    doc="One row per withdrawal of an experimental value, or its renewed entry; the latest decides.",
    columns=(
        Column("scope", STRING, "Scope of the value."),
        Column("ligand", STRING, "Name of the ligand."),
        Column("kind", STRING, "What was measured."),
        Column("value_kcal_mol", FLOAT, "The value, as in `assays`."),
        Column("source", STRING, "Source of the value, as in `assays`."),
        Column("event", STRING, "What happened.", choices=("entered", "withdrawn")),
        Column("actor", STRING, "User who decided."),
        Column("reason", STRING, "Human-readable reason.", nullable=True),
        Column("at", TIME, "Time, by the writer's clock."),
    ),
    key=("scope", "ligand", "kind", "value_kcal_mol", "source", "event", "at"),
    since=4,
)
