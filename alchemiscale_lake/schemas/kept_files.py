"""Tables of files kept from executions: `result_files`, `refused_files`, `pruned_files`."""

from ._base import INT, STRING, TIME, Column, TableSchema

RESULT_FILES = TableSchema(
    name="result_files",
    doc="One row per file kept from an execution.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("attempt", STRING, "Id of the attempt."),
        Column("path", STRING, "Path within the attempt: folder, unit and name, as in `permanent/00-simulate/a.nc`."),
        Column("unit", STRING, "gufe key of the unit that wrote it.", nullable=True),
        Column("n_bytes", INT, "Size, bytes."),
        Column("digest", STRING, "SHA-256 of the content."),
        Column("object_path", STRING, "Path of the content in the lake, which other files may share."),
        Column(
            "kept_by",
            STRING,
            "Why it is kept: `permanent`, the folder and pattern, as in `shared:*.nc`, or `exception`.",
            nullable=True,
            since=4,
        ),
    ),
    key=("scope", "attempt", "path"),
)

REFUSED_FILES = TableSchema(
    name="refused_files",
    doc="One row per file that an execution was to keep, and that was not kept.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("attempt", STRING, "Id of the attempt."),
        Column("path", STRING, "Path within the attempt, as in `result_files`."),
        Column("unit", STRING, "gufe key of the unit that wrote it.", nullable=True),
        Column("n_bytes", INT, "Size, bytes; of all files together where a row stands for several.", nullable=True),
        Column("kept_by", STRING, "Why it was to be kept, as in `result_files`."),
        Column("reason", STRING, "Limit or error because of which it was not kept."),
    ),
    key=("scope", "attempt", "path"),
    since=4,
)

PRUNED_FILES = TableSchema(
    name="pruned_files",
    doc="One row per row of `result_files` whose content was given up, so that it may be deleted.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("attempt", STRING, "Id of the attempt."),
        Column("path", STRING, "Path within the attempt, as in `result_files`."),
        Column("pruned_at", TIME, "When."),
        Column("pruned_by", STRING, "By whom."),
        Column("reason", STRING, "Rule by which it was given up."),
    ),
    key=("scope", "attempt", "path"),
    since=4,
)
