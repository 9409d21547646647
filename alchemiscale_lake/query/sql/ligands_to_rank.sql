-- ligands_to_rank: ligands of one network as of its newest estimate version, with the covariance where stored
-- grain: one row per kind and ligand
-- inputs: network_estimates
-- parameters: $network, $kind (or null)
select
    kind,
    component,
    node,
    ligand,
    value_kcal_mol,
    uncertainty_kcal_mol,
    covariance_kcal2_mol2,
    experiment_kcal_mol,
    experiment_uncertainty_kcal_mol
from network_estimates
where
    network = $network
    and ($kind is null or kind = $kind)
qualify round = max(round) over ()
order by
    kind,
    component,
    node;
