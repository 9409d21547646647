-- newest_experiments: experimental value of each ligand of each network, as of its newest version
-- grain: one row per network, kind and ligand with an experimental value
-- inputs: network_estimates
-- parameters: none; filter by scope, network, kind
create view newest_experiments as
with newest as (
    select
        scope,
        network,
        kind,
        ligand,
        experiment_kcal_mol,
        experiment_uncertainty_kcal_mol
    from network_estimates
    qualify row_number() over (partition by network, kind, ligand order by round desc) = 1
)
select *
from newest
where experiment_kcal_mol is not null;
