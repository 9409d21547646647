"""The named queries: their names, descriptions, dependencies and orders."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

__all__ = ["NAMED_QUERIES", "NamedQuery", "statement"]

#: Later ones build on earlier ones. No name is also a table's.
_NAMES: Final = (
    "in_scope",
    "task_states",
    "actions",
    "network_states",
    "transformation_status",
    "network_status",
    "key_map",
    "counted_results",
    "network_growth",
    "current_transformation_estimates",
    "network_legs",
    "latest_edges",
    "latest_findings",
    "ligand_ranking",
    "attempts",
    "result_packages",
    "package_versions",
    "failures",
    "throughput",
    "wilson_low",
    "wilson_high",
    "failure_rates",
    "network_storage",
    "scope_storage",
    "task_storage",
    "current_assays",
    "current_links",
    "newest_experiments",
    "compared_ligands",
    "compared_edges",
)

#: Order of the rows returned by `ask`; an SQL view has no order of its own.
_ORDER: Final = {
    "task_states": "scope, task",
    "actions": "network, task",
    "network_states": "scope, name, network",
    "transformation_status": "network, name, transformation",
    "network_status": "scope, name, network",
    "key_map": "scope, name, network, transformation",
    "counted_results": "transformation, task",
    "network_growth": "scope, lineage, revision, created_at, network",
    "current_transformation_estimates": "scope, name, transformation",
    "network_legs": "network, phase, ligand_i, ligand_j, transformation",
    "latest_edges": "network, kind, ligand_i, ligand_j",
    "latest_findings": "network, flagged desc, p_value nulls last, checked, kind, rank",
    "ligand_ranking": "network, kind, component, value_kcal_mol nulls last, ligand",
    "attempts": "scope, task, attempt_number",
    "package_versions": "scope, package, version",
    "failures": "ended_at, attempt",
    "throughput": "day, scope, pool, hostname, protocol",
    "failure_rates": "dimension, scope, name nulls last",
    "network_storage": "scope, name, network",
    "scope_storage": "scope",
    "task_storage": "scope, task",
    "current_assays": "scope, kind, ligand, entered_at, value_kcal_mol, source",
    "current_links": "scope, kind, ligand_i, ligand_j",
    "newest_experiments": "network, kind, ligand",
    "compared_ligands": "network, round, kind, component, ligand",
    "compared_edges": "network, round, kind, ligand_i, ligand_j",
}


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One file of `query/sql/`.

    Attributes
    ----------
    name : str
        Name of the view, or of the macro.
    description : str
        Description, one line.
    grain : str
        What one row represents.
    order_by : str or None
        Order of the rows; None for a macro, which cannot be queried.
    sql : str
        The statement that creates it.
    """

    name: str
    description: str
    grain: str
    order_by: str | None
    sql: str


def statement(name: str) -> str:
    """Return the text of `query/sql/<name>.sql`; its header names the parameters to bind."""
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _load(name: str) -> NamedQuery:
    sql = statement(name)
    head = [line.removeprefix("--").strip() for line in sql.splitlines() if line.startswith("--")]
    facts = dict(line.split(": ", 1) for line in head if ": " in line)
    description = head[0].split(": ", 1)[1]
    return NamedQuery(name, description, facts["grain"], _ORDER.get(name), sql)


NAMED_QUERIES: Final[dict[str, NamedQuery]] = {name: _load(name) for name in _NAMES}
