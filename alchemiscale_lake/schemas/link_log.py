"""Table `link_log`: declared differences between nodes of networks, and their withdrawals."""

import polars as pl

from ._base import FLOAT, STRING, TIME, Column, Rule, TableSchema

LINK_LOG = TableSchema(
    name="link_log",
    doc="One row per declared difference between two nodes of networks, or its withdrawal; the latest decides.",
    columns=(
        Column("scope", STRING, "Scope of the networks that it applies to."),
        Column("kind", STRING, "What the nodes measure.", choices=("binding", "hydration", "direct")),
        Column("ligand_i", STRING, "From this node, as in `network_estimates.ligand`; the first of the two by name."),
        Column("ligand_j", STRING, "To this one."),
        Column("value_kcal_mol", FLOAT, "Declared f(j) - f(i); zero for nodes that are equivalent."),
        Column("uncertainty_kcal_mol", FLOAT, "Its uncertainty; zero if it is exact."),
        Column("event", STRING, "What happened.", choices=("declared", "withdrawn")),
        Column("actor", STRING, "User who decided."),
        Column("reason", STRING, "Human-readable reason.", nullable=True),
        Column("at", TIME, "Time, by the writer's clock."),
    ),
    key=("scope", "kind", "ligand_i", "ligand_j", "event", "at"),
    rules=(
        Rule("an uncertainty is not negative", pl.col("uncertainty_kcal_mol") >= 0),
        Rule("a link joins two nodes, in the order of their names", pl.col("ligand_i") < pl.col("ligand_j")),
    ),
    since=4,
)
