"""Tables of estimates at three levels: Transformations (legs), edges, nodes (ligands)."""

import polars as pl
import pyarrow as pa

from ._base import BOOL, FLOAT, INT, STRING, STRINGS, TIME, Column, Rule, TableSchema

_FLOATS = pa.list_(pa.float64())

_NOT_NEGATIVE = Rule(
    "an uncertainty is not negative", pl.col("uncertainty_kcal_mol").is_null() | (pl.col("uncertainty_kcal_mol") >= 0)
)

RESULT_ESTIMATES = TableSchema(
    name="result_estimates",
    doc="One row per result without an estimate in `results`, gathered later from its object.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("attempt", STRING, "Id of the attempt."),
        Column("value_kcal_mol", FLOAT, "This result's own estimate."),
        Column("uncertainty_kcal_mol", FLOAT, "This result's own uncertainty.", nullable=True),
        Column("gufe_version", STRING, "gufe version that gathered it."),
        Column("gathered_at", TIME, "When it was gathered."),
    ),
    key=("scope", "attempt"),
    rules=(_NOT_NEGATIVE,),
)

TRANSFORMATION_ESTIMATES = TableSchema(
    name="transformation_estimates",
    doc="One row per Transformation and set of results gathered; the newest has the highest as_of_seq.",
    columns=(
        Column("scope", STRING, "Scope of the Transformation."),
        Column("transformation", STRING, "ScopedKey of the Transformation."),
        Column("results_digest", STRING, "SHA-256 of the attempts that count, sorted."),
        Column("as_of_seq", INT, "Number of the last task log commit when it was gathered."),
        Column("n_results", INT, "Number of results that count."),
        Column("value_kcal_mol", FLOAT, "Mean over the results.", nullable=True),
        Column(
            "uncertainty_kcal_mol",
            FLOAT,
            "Uncertainty of the mean from these results alone, by `rule`; edges may use one pooled over legs.",
            nullable=True,
        ),
        Column(
            "own_uncertainty_kcal_mol",
            FLOAT,
            "Uncertainty propagated from the results' own uncertainties.",
            nullable=True,
        ),
        Column("sd_kcal_mol", FLOAT, "Sample standard deviation over results; null for one.", nullable=True),
        Column(
            "rule",
            STRING,
            "Uncertainty used: the larger of `own` and `sem` (standard deviation over root n).",
        ),
        Column(
            "attempts",
            STRINGS,
            "Attempts of the results with an estimate; an attempt with several repeats once for each.",
            nullable=True,
        ),
        Column("values_kcal_mol", _FLOATS, "Their estimates, in the same order.", nullable=True),
        Column("own_uncertainties_kcal_mol", _FLOATS, "Their own uncertainties, in the same order.", nullable=True),
        Column("status", STRING, "`ok`, or `error` if no estimate could be computed.", choices=("ok", "error")),
        Column("note", STRING, "Remark, if any.", nullable=True),
        Column("estimated_at", TIME, "When it was gathered."),
    ),
    key=("scope", "transformation", "results_digest"),
    rules=(_NOT_NEGATIVE,),
)

EDGE_ESTIMATES = TableSchema(
    name="edge_estimates",
    doc="One row per edge (ligand i to ligand j) of a network and estimate version, assembled from its legs.",
    columns=(
        Column("scope", STRING, "Scope of the network."),
        Column("network", STRING, "ScopedKey of the network."),
        Column("round", INT, "Estimate version of the network."),
        Column("kind", STRING, "What the edge measures.", choices=("binding", "hydration", "direct")),
        Column("ligand_i", STRING, "From this ligand (or system); null in `latest_edges` for an absolute result."),
        Column("ligand_j", STRING, "To this one."),
        Column("value_kcal_mol", FLOAT, "f(j) - f(i); null until every leg has a result.", nullable=True),
        Column(
            "uncertainty_kcal_mol", FLOAT, "Uncertainty: the legs' uncertainties added in quadrature.", nullable=True
        ),
        Column("legs", STRINGS, "ScopedKeys of its Transformations."),
        Column("leg_uncertainties_kcal_mol", _FLOATS, "Uncertainty used for each of these legs.", nullable=True),
        Column("rule", STRING, "Rule for the uncertainties of the legs.", nullable=True),
        Column("missing_legs", STRINGS, "Phases without a result."),
        Column("residual_kcal_mol", FLOAT, "Edge estimate minus f(j) - f(i) of the network estimate.", nullable=True),
        Column("status", STRING, "`ok`, `incomplete` or `error`.", choices=("ok", "incomplete", "error")),
        Column("note", STRING, "Remark, if any.", nullable=True),
        Column("estimated_at", TIME, "When it was gathered."),
    ),
    key=("scope", "network", "round", "kind", "ligand_i", "ligand_j"),
    rules=(_NOT_NEGATIVE,),
)

NETWORK_ESTIMATES = TableSchema(
    name="network_estimates",
    doc="One row per node (ligand) of a network and estimate version: the maximum-likelihood free energy.",
    columns=(
        Column("scope", STRING, "Scope of the network."),
        Column("network", STRING, "ScopedKey of the network."),
        Column("round", INT, "Estimate version of the network."),
        Column("kind", STRING, "What the network measures.", choices=("binding", "hydration", "direct")),
        Column("component", INT, "Connected component; values of different components have different zeros."),
        Column("node", INT, "Index of the node in the component and in `covariance_kcal2_mol2`."),
        Column("ligand", STRING, "The ligand (or system)."),
        Column(
            "value_kcal_mol", FLOAT, "Free energy; relative to the component's mean unless absolute.", nullable=True
        ),
        Column("uncertainty_kcal_mol", FLOAT, "Standard error relative to the component's mean.", nullable=True),
        Column("absolute", BOOL, "Whether absolute results or experiment fix the component's zero."),
        Column(
            "covariance_kcal2_mol2",
            _FLOATS,
            "Covariance with every node of the component; null past the size stated in the docs.",
            nullable=True,
        ),
        Column("experiment_kcal_mol", FLOAT, "Experimental value.", nullable=True),
        Column("experiment_uncertainty_kcal_mol", FLOAT, "Its uncertainty.", nullable=True),
        Column("notes", STRINGS, "Remarks of the estimator on this node or its component."),
        Column("inputs_digest", STRING, "SHA-256 of the legs, experimental values and rule used."),
        Column("as_of_seq", INT, "Number of the last task log commit when it was gathered."),
        Column("estimated_at", TIME, "When it was gathered."),
    ),
    key=("scope", "network", "round", "kind", "ligand"),
    rules=(_NOT_NEGATIVE,),
)

ASSAYS = TableSchema(
    name="assays",
    doc="One row per experimental value. If a ligand has several, the newest is used.",
    columns=(
        Column("scope", STRING, "Scope the value is used in."),
        Column("ligand", STRING, "Name of the ligand, as in `transformations.ligand_a_name`."),
        Column("kind", STRING, "What was measured.", choices=("binding", "hydration", "direct")),
        Column("value_kcal_mol", FLOAT, "Free energy."),
        Column("uncertainty_kcal_mol", FLOAT, "Its uncertainty.", nullable=True),
        Column("smiles", STRING, "SMILES of the ligand.", nullable=True),
        Column("source", STRING, "Source of the value."),
        Column("entered_by", STRING, "User who entered it."),
        Column("entered_at", TIME, "When it was entered."),
    ),
    key=("scope", "ligand", "kind", "value_kcal_mol", "source"),
    rules=(_NOT_NEGATIVE,),
)
