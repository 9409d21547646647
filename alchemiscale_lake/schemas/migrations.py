"""Table `migrations`: format changes applied to this lake."""

from ._base import INT, STRING, TIME, Column, TableSchema

MIGRATIONS = TableSchema(
    name="migrations",
    doc="One row per change of format applied, the first being the lake's creation.",
    columns=(
        Column("format", INT, "Format of the lake after this change."),
        Column("what", STRING, "Description of the change."),
        Column("package_version", STRING, "Version of alchemiscale-lake that made the change."),
        Column("at", TIME, "Time of the change."),
    ),
    key=("format",),
    partition_by=(),
)
