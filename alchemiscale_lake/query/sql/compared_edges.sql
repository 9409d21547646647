-- compared_edges: edges with an estimate between ligands that both have an experimental value, all versions
-- grain: one row per network, round, kind and edge
-- inputs: edge_estimates, newest_experiments, network_estimates (written last: they make a round visible)
-- links that were declared, which have no legs, are left out
-- parameters: none; filter by scope, network, kind, newest (of the network's newest estimate version)
create view compared_edges as
with rounds as (
    select
        network,
        round,
        round = max(round) over (partition by network) as newest
    from network_estimates
    group by
        network,
        round
)
select
    edges.scope,
    edges.network,
    edges.round,
    rounds.newest,
    edges.kind,
    edges.ligand_i,
    edges.ligand_j,
    edges.value_kcal_mol,
    edges.uncertainty_kcal_mol,
    b.experiment_kcal_mol - a.experiment_kcal_mol as experiment_kcal_mol,
    sqrt(
        a.experiment_uncertainty_kcal_mol ** 2 + b.experiment_uncertainty_kcal_mol ** 2
    ) as experiment_uncertainty_kcal_mol,
    edges.estimated_at
from edge_estimates as edges
join rounds using (network, round)
join newest_experiments as a
    on edges.network = a.network
    and edges.kind = a.kind
    and edges.ligand_i = a.ligand
join newest_experiments as b
    on edges.network = b.network
    and edges.kind = b.kind
    and edges.ligand_j = b.ligand
where
    edges.value_kcal_mol is not null
    and edges.ligand_i <> edges.ligand_j
    and len(edges.legs) > 0;
