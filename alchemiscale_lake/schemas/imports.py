"""Table `imports`: files that results were imported from."""

from ._base import INT, STRING, TIME, Column, TableSchema

IMPORTS = TableSchema(
    name="imports",
    doc="One row per file of results imported into a Scope. Its results have the same `object_path` in `results`.",
    columns=(
        Column("scope", STRING, "Scope the results are in."),
        Column("digest", STRING, "SHA-256 of the file's content, uncompressed."),
        Column("network", STRING, "ScopedKey of the network it was imported for; null if for several.", nullable=True),
        Column("source", STRING, "Path of the file when it was imported."),
        Column(
            "format",
            STRING,
            "Format of the file.",
            choices=("quickrun", "protocol_dag_result", "protocol_result", "edge_table", "archive"),
        ),
        Column("n_results", INT, "Number of good results in it."),
        Column("n_failed", INT, "Number of failed results in it."),
        Column("n_bytes", INT, "Size of its content, bytes."),
        Column(
            "protocol_qualname", STRING, "Class of the Protocol of the results, as named in the file.", nullable=True
        ),
        Column("gufe_version", STRING, "gufe version that wrote it, if the file states it.", nullable=True),
        Column("object_path", STRING, "Path of its content in the lake (zstd)."),
        Column("imported_by", STRING, "User who imported it."),
        Column("imported_at", TIME, "Time of the import."),
    ),
    key=("scope", "digest"),
)
