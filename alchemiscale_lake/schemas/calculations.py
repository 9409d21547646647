"""Table `calculations`: which Transformations compute the same."""

from ._base import STRING, TIME, Column, TableSchema

CALCULATIONS = TableSchema(
    name="calculations",
    doc="One row per Transformation submitted to a Scope: what it computes, and under which key that is stored.",
    columns=(
        Column("scope", STRING, "Scope of the Transformation."),
        Column("transformation", STRING, "ScopedKey of the Transformation, as submitted."),
        Column(
            "calculation",
            STRING,
            "Digest of states, Protocol with settings, and mapping: without names, metadata and versions of gufe.",
        ),
        Column(
            "stands_for",
            STRING,
            "ScopedKey of the stored Transformation with this calculation, whose Tasks and results are used; itself, "
            "unless the Scope had the calculation before.",
        ),
        Column("recorded_at", TIME, "Time of the submission."),
    ),
    key=("scope", "transformation"),
    since=3,
)
