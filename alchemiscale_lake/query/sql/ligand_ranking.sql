-- ligand_ranking: ligands of each network by free energy, lowest first, with experimental values
-- grain: one row per network, kind and ligand, of the newest estimate version
-- inputs: network_estimates
-- parameters: none; filter by scope, network, kind
create view ligand_ranking as
with latest as (
    select
        network,
        max(round) as round
    from network_estimates
    group by network
)
select
    scope,
    network,
    round,
    kind,
    component,
    case when value_kcal_mol is not null
        then rank() over (partition by network, kind, component order by value_kcal_mol nulls last)
    end as rank,
    ligand,
    value_kcal_mol,
    uncertainty_kcal_mol,
    absolute,
    experiment_kcal_mol,
    experiment_uncertainty_kcal_mol,
    notes,
    as_of_seq,
    estimated_at
from network_estimates
join latest using (network, round);
