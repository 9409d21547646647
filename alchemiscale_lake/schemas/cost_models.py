"""Table `cost_models`: models of the cost of calculations, trained on results. The newest is used."""

import polars as pl

from ._base import FLOAT, INT, STRING, STRINGS, TIME, Column, Rule, TableSchema

COST_MODELS = TableSchema(
    name="cost_models",
    doc="One row per trained model of what one result costs, for all Scopes. Parameters are numbers in JSON, no code.",
    columns=(
        Column("model", STRING, "Digest of its parameters."),
        Column("trained_at", TIME, "When it was trained; the newest counts."),
        Column("actor", STRING, "Who trained it."),
        Column("n_results", INT, "Good results that the lake held then."),
        Column("n_rows", INT, "Results it was trained on."),
        Column("n_transformations", INT, "Transformations those are of."),
        Column("n_targets", INT, "Targets those are of: none was on both sides of a validation split."),
        Column("protocols", STRINGS, "Classes of Protocols it has seen."),
        Column("gpu_models", STRINGS, "GPU models it has seen; `cpu` for results without GPU."),
        Column("features", STRINGS, "What it looks at."),
        Column("ranges_json", STRING, "Smallest and largest value seen of each feature, as JSON."),
        Column(
            "error_fraction",
            FLOAT,
            "Median absolute error of predictions for targets left out, as a fraction of the cost.",
            nullable=True,
        ),
        Column("constant_error_fraction", FLOAT, "The same of one number for all.", nullable=True),
        Column("power_law_error_fraction", FLOAT, "The same of a power law in atoms.", nullable=True),
        Column("coverage_fraction", FLOAT, "How many costs left out lay within their intervals.", nullable=True),
        Column("confidence_fraction", FLOAT, "How many should."),
        Column("seed", INT, "Of the validation splits."),
        Column("versions_json", STRING, "Versions of the packages that trained it, as JSON."),
        Column("parameters_json", STRING, "All it takes to predict, as JSON."),
    ),
    key=("model",),
    partition_by=(),
    rules=(Rule("an interval has a confidence", pl.col("confidence_fraction").is_between(0.0, 1.0, closed="none")),),
)
