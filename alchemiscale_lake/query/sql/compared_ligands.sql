-- compared_ligands: ligands that have both an estimate and an experimental value, of every round
-- grain: one row per network, round, kind and ligand; the experiment is the newest that a round of it knew
-- inputs: network_estimates
-- parameters: none; filter by scope, network, kind, newest (of the network's newest round)
create view compared_ligands as
with measured as (
    select
        network,
        kind,
        ligand,
        experiment_kcal_mol,
        experiment_uncertainty_kcal_mol
    from network_estimates
    where experiment_kcal_mol is not null
    qualify row_number() over (partition by network, kind, ligand order by round desc) = 1
),
rounds as (
    select
        network,
        max(round) as newest_round
    from network_estimates
    group by network
)
select
    estimates.scope,
    estimates.network,
    estimates.round,
    estimates.round = rounds.newest_round as newest,
    estimates.kind,
    estimates.component,
    estimates.ligand,
    estimates.value_kcal_mol,
    estimates.uncertainty_kcal_mol,
    measured.experiment_kcal_mol,
    measured.experiment_uncertainty_kcal_mol,
    estimates.estimated_at
from network_estimates as estimates
join measured using (network, kind, ligand)
join rounds using (network)
where estimates.value_kcal_mol is not null;
