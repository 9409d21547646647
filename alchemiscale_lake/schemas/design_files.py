"""Table `design_files`: files from which living networks grew, and those that were refused."""

import polars as pl

from ._base import INT, STRING, TIME, Column, Rule, TableSchema

DESIGN_OUTCOMES = ("grown", "known", "refused", "waiting")

_LEFT_OUT = pl.col("outcome").is_in(["refused", "waiting"])

DESIGN_FILES = TableSchema(
    name="design_files",
    doc="One row per design file that a living network picked up, and one more whenever its content had changed.",
    columns=(
        Column("scope", STRING, "Scope of the living network."),
        Column("name", STRING, "Name of the living network."),
        Column("pickup", INT, "Number of the pick-up, from 1; all of its rows are one commit."),
        Column("source", STRING, "Folder or prefix of a bucket that the file was in, as a URL."),
        Column("path", STRING, "Path of the file in it."),
        Column("digest", STRING, "SHA-256 of its content, as it was read."),
        Column("n_bytes", INT, "Its size, bytes."),
        Column("modified_at", TIME, "Time of its last change, by the clock of its storage."),
        Column("replaces", STRING, "Digest of its content at an earlier pick-up, if it has changed.", nullable=True),
        Column(
            "outcome",
            STRING,
            "The network grew, had all of it, refused it, or waits for a package.",
            choices=DESIGN_OUTCOMES,
        ),
        Column("reason", STRING, "Why it was refused, or what it waits for.", nullable=True),
        Column("n_transformations", INT, "Transformations in the file; null if it was left out.", nullable=True),
        Column("n_new", INT, "Transformations that the living network did not have; null if left out.", nullable=True),
        Column("network", STRING, "ScopedKey of the network that has it; null if left out.", nullable=True),
        Column("grown_from", STRING, "ScopedKey of the network before it grew.", nullable=True),
        Column("actor", STRING, "User who picked it up."),
        Column("at", TIME, "Time, by the writer's clock."),
    ),
    key=("scope", "name", "pickup", "source", "path"),
    rules=(
        Rule("a file that was left out states the reason", ~_LEFT_OUT | pl.col("reason").is_not_null()),
        Rule("other files state the network", _LEFT_OUT | pl.col("network").is_not_null()),
    ),
    since=4,
)
