"""Table `migrations`: format changes applied to this lake."""

from ._base import INT, STRING, TIME, Column, TableSchema

MIGRATIONS = TableSchema(
    name="migrations",
    doc="One row per change of format applied, the first being the lake's creation.",
    columns=(
        Column("format", INT, "Format of the lake from here on."),
        Column("what", STRING, "What was changed."),
        Column("package_version", STRING, "alchemiscale-lake that did it."),
        Column("at", TIME, "When."),
    ),
    key=("format",),
    partition_by=(),
)
