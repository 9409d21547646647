"""Table `network_findings`: inconsistencies among the results of a network, by estimate version."""

import polars as pl

from ._base import BOOL, FLOAT, INT, STRING, STRINGS, TIME, Column, Rule, TableSchema

NETWORK_FINDINGS = TableSchema(
    name="network_findings",
    doc="One row per network, round, check and subject: all that are flagged, and the next improbable ones.",
    columns=(
        Column("scope", STRING, "Scope of the network."),
        Column("network", STRING, "ScopedKey of the network."),
        Column("round", INT, "Round of the network."),
        Column(
            "checked",
            STRING,
            "What was looked at.",
            choices=("closure", "cycle", "edge", "hysteresis", "parallel", "repeats", "result", "spread"),
        ),
        Column("kind", STRING, "Kind of the edges, or phase of the legs."),
        Column("rank", INT, "1 for the least probable of its check and kind."),
        Column("subject", STRINGS, "Ligands of an edge or around a cycle; Transformations; attempts of results."),
        Column("value_kcal_mol", FLOAT, "What was found; zero would be perfect agreement.", nullable=True),
        Column("uncertainty_kcal_mol", FLOAT, "What is expected of it by chance.", nullable=True),
        Column("z", FLOAT, "How far from zero, in standard errors.", nullable=True),
        Column("p_value", FLOAT, "Probability of at least as much by chance.", nullable=True),
        Column("flagged", BOOL, "Whether it stands out among all of its check, however many were looked at."),
        Column("says", STRING, "The finding in words."),
        Column("found_at", TIME, "When it was gathered."),
    ),
    key=("scope", "network", "round", "checked", "kind", "rank"),
    rules=(
        Rule("a probability is between 0 and 1", pl.col("p_value").is_null() | pl.col("p_value").is_between(0.0, 1.0)),
    ),
)
