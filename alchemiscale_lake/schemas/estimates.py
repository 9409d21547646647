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
    doc="One row per result whose row in `results` came without a number, gathered from its object later.",
    columns=(
        Column("scope", STRING, "Scope of the Task."),
        Column("attempt", STRING, "Id of the attempt."),
        Column("value_kcal_mol", FLOAT, "This result's own estimate."),
        Column("uncertainty_kcal_mol", FLOAT, "This result's own uncertainty.", nullable=True),
        Column("gufe_version", STRING, "gufe that gathered it."),
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
        Column("as_of_seq", INT, "The task log when it was gathered."),
        Column("n_results", INT, "Results that count."),
        Column("value_kcal_mol", FLOAT, "Mean over the results.", nullable=True),
        Column(
            "uncertainty_kcal_mol",
            FLOAT,
            "Uncertainty of that mean from these results alone, by the rule named; a round may pool networks' legs.",
            nullable=True,
        ),
        Column("own_uncertainty_kcal_mol", FLOAT, "The results' own uncertainties, propagated.", nullable=True),
        Column("sd_kcal_mol", FLOAT, "Sample standard deviation over results; null for one.", nullable=True),
        Column("rule", STRING, "Which uncertainty was taken: the larger of `own` and `sem` (sd over root n)."),
        Column("attempts", STRINGS, "The results with a number, by attempt.", nullable=True),
        Column("values_kcal_mol", _FLOATS, "Their estimates, in the same order.", nullable=True),
        Column("own_uncertainties_kcal_mol", _FLOATS, "What they state of themselves.", nullable=True),
        Column("status", STRING, "`ok`, or `error` where no number could be had.", choices=("ok", "error")),
        Column("note", STRING, "What there is to say about it.", nullable=True),
        Column("estimated_at", TIME, "When it was gathered."),
    ),
    key=("scope", "transformation", "results_digest"),
    rules=(_NOT_NEGATIVE,),
)

EDGE_ESTIMATES = TableSchema(
    name="edge_estimates",
    doc="One row per edge (ligand i to ligand j) of a network and round, assembled from its legs.",
    columns=(
        Column("scope", STRING, "Scope of the network."),
        Column("network", STRING, "ScopedKey of the network."),
        Column("round", INT, "Round of the network."),
        Column("kind", STRING, "What the edge measures.", choices=("binding", "hydration", "direct")),
        Column("ligand_i", STRING, "From this ligand (or system)."),
        Column("ligand_j", STRING, "To this one."),
        Column("value_kcal_mol", FLOAT, "f(j) - f(i); null until every leg has a result.", nullable=True),
        Column("uncertainty_kcal_mol", FLOAT, "Uncertainty, legs in quadrature.", nullable=True),
        Column("legs", STRINGS, "ScopedKeys of the Transformations it is made of."),
        Column("leg_uncertainties_kcal_mol", _FLOATS, "Uncertainty each of these legs entered with.", nullable=True),
        Column("rule", STRING, "Rule that gave the uncertainties of the legs.", nullable=True),
        Column("missing_legs", STRINGS, "Phases without a result."),
        Column("residual_kcal_mol", FLOAT, "Edge less the network's own f(j) - f(i).", nullable=True),
        Column("status", STRING, "`ok`, `incomplete` or `error`.", choices=("ok", "incomplete", "error")),
        Column("note", STRING, "What there is to say about it.", nullable=True),
        Column("estimated_at", TIME, "When it was gathered."),
    ),
    key=("scope", "network", "round", "kind", "ligand_i", "ligand_j"),
    rules=(_NOT_NEGATIVE,),
)

NETWORK_ESTIMATES = TableSchema(
    name="network_estimates",
    doc="One row per node (ligand) of a network and round: the maximum-likelihood free energy.",
    columns=(
        Column("scope", STRING, "Scope of the network."),
        Column("network", STRING, "ScopedKey of the network."),
        Column("round", INT, "Round of the network."),
        Column("kind", STRING, "What the network measures.", choices=("binding", "hydration", "direct")),
        Column("component", INT, "Connected component; values of two components share no zero."),
        Column("node", INT, "Place of the node in the component, and in `covariance_kcal2_mol2`."),
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
        Column("notes", STRINGS, "What the estimator did about this node or its component."),
        Column("inputs_digest", STRING, "SHA-256 of the legs, experiments and rule reckoned with."),
        Column("as_of_seq", INT, "The task log when it was gathered."),
        Column("estimated_at", TIME, "When it was gathered."),
    ),
    key=("scope", "network", "round", "kind", "ligand"),
    rules=(_NOT_NEGATIVE,),
)

ASSAYS = TableSchema(
    name="assays",
    doc="One row per experimental value. Of several rows for a ligand the newest counts.",
    columns=(
        Column("scope", STRING, "Scope the value is used in."),
        Column("ligand", STRING, "Name of the ligand, as in `transformations.ligand_a_name`."),
        Column("kind", STRING, "What was measured.", choices=("binding", "hydration", "direct")),
        Column("value_kcal_mol", FLOAT, "Free energy."),
        Column("uncertainty_kcal_mol", FLOAT, "Its uncertainty.", nullable=True),
        Column("smiles", STRING, "SMILES of the ligand.", nullable=True),
        Column("source", STRING, "Where the value comes from."),
        Column("entered_by", STRING, "Who entered it."),
        Column("entered_at", TIME, "When it was entered."),
    ),
    key=("scope", "ligand", "kind", "value_kcal_mol", "source"),
    rules=(_NOT_NEGATIVE,),
)
