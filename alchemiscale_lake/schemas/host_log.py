"""Table `host_log`: decisions of operators about hosts."""

import polars as pl

from ._base import INT, STRING, TIME, Column, Rule, TableSchema

HOST_LOG = TableSchema(
    name="host_log",
    doc="One row per user decision about a host, ordered by seq. The outcomes of a host's attempts are in `results`.",
    columns=(
        Column("hostname", STRING, "Name of the host."),
        Column("seq", INT, "Number of the commit: 1, 2, 3, ... without gaps."),
        Column("idx", INT, "Position within the commit."),
        Column(
            "event",
            STRING,
            "Kind of decision; `forgiven` in rows of versions before format 4 is `readmitted`.",
            choices=("quarantined", "readmitted"),
        ),
        Column("ends_at", TIME, "End of the quarantine.", nullable=True),
        Column("actor", STRING, "User who decided."),
        Column("reason", STRING, "Human-readable reason.", nullable=True),
        Column("commit_id", STRING, "Random id of the commit."),
        Column("at", TIME, "Time, by the writer's clock; earlier results of a readmitted host are ignored."),
    ),
    key=("seq", "idx"),
    partition_by=(),
    rules=(Rule("a quarantine has an end", (pl.col("event") == "quarantined") == pl.col("ends_at").is_not_null()),),
)
