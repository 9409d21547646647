"""Table `cost_models`: models of the cost of calculations, trained on results. The newest is used."""

import polars as pl

from ._base import FLOAT, INT, STRING, STRINGS, TIME, Column, Rule, TableSchema

COST_MODELS = TableSchema(
    name="cost_models",
    doc="One row per trained cost model, for all Scopes. Parameters are numbers in JSON, not code.",
    columns=(
        Column("model", STRING, "Digest of its parameters."),
        Column("trained_at", TIME, "When it was trained; the newest is used."),
        Column("actor", STRING, "User who trained it."),
        Column("n_results", INT, "Number of good results in the lake at that time."),
        Column("n_rows", INT, "Number of results it was trained on."),
        Column("n_transformations", INT, "Number of their Transformations."),
        Column("n_targets", INT, "Number of their targets; no target was on both sides of a validation split."),
        Column("protocols", STRINGS, "Classes of Protocols in the training data."),
        Column("gpu_models", STRINGS, "GPU models in the training data; `cpu` for results without GPU."),
        Column("features", STRINGS, "Names of its features."),
        Column("ranges_json", STRING, "Smallest and largest value of each feature in the training data, as JSON."),
        Column(
            "error_fraction",
            FLOAT,
            "Median absolute error for held-out targets, as a fraction of the cost.",
            nullable=True,
        ),
        Column("constant_error_fraction", FLOAT, "The same for a constant prediction.", nullable=True),
        Column("power_law_error_fraction", FLOAT, "The same for a power law in the number of atoms.", nullable=True),
        Column("coverage_fraction", FLOAT, "Fraction of held-out costs within their intervals.", nullable=True),
        Column("confidence_fraction", FLOAT, "Nominal coverage of the intervals."),
        Column("seed", INT, "Seed of the validation splits."),
        Column("versions_json", STRING, "Versions of the packages that trained it, as JSON."),
        Column("parameters_json", STRING, "Parameters of the model, as JSON."),
    ),
    key=("model",),
    partition_by=(),
    rules=(Rule("an interval has a confidence", pl.col("confidence_fraction").is_between(0.0, 1.0, closed="none")),),
)
