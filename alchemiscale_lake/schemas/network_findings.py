"""Table `network_findings`: inconsistencies among the results of a network, by estimate version."""

import polars as pl

from ._base import BOOL, FLOAT, INT, STRING, STRINGS, TIME, Column, Rule, TableSchema

NETWORK_FINDINGS = TableSchema(
    name="network_findings",
    doc="One row per network, estimate version, check and subject: all flagged ones and the next least probable ones.",
    columns=(
        Column("scope", STRING, "Scope of the network."),
        Column("network", STRING, "ScopedKey of the network."),
        Column("round", INT, "Estimate version of the network."),
        Column(
            "checked",
            STRING,
            "Kind of check.",
            choices=("closure", "cycle", "edge", "hysteresis", "parallel", "repeats", "result", "spread"),
        ),
        Column("kind", STRING, "Kind of the edges, or phase of the legs."),
        Column("rank", INT, "1 for the least probable of its check and kind."),
        Column("subject", STRINGS, "Ligands of an edge or around a cycle; Transformations; attempts of results."),
        Column("value_kcal_mol", FLOAT, "Observed deviation; zero is perfect agreement.", nullable=True),
        Column("uncertainty_kcal_mol", FLOAT, "Deviation expected by chance.", nullable=True),
        Column("z", FLOAT, "Distance from zero in standard errors.", nullable=True),
        Column("p_value", FLOAT, "Probability of a deviation at least this large by chance.", nullable=True),
        Column(
            "flagged", BOOL, "Whether it is significant among all subjects of its check, corrected for their number."
        ),
        Column("says", STRING, "Former name of `description`, with the same text: older versions read it."),
        Column("found_at", TIME, "When it was gathered."),
        Column("description", STRING, "The finding in words.", nullable=True, since=4),
    ),
    key=("scope", "network", "round", "checked", "kind", "rank"),
    rules=(
        Rule("a probability is between 0 and 1", pl.col("p_value").is_null() | pl.col("p_value").is_between(0.0, 1.0)),
    ),
)
