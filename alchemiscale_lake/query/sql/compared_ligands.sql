-- compared_ligands: ligands with both an estimate and an experimental value, all estimate versions
-- grain: one row per network, round, kind and ligand
-- inputs: network_estimates, newest_experiments
-- parameters: none; filter by scope, network, kind, newest (of the network's newest estimate version)
-- absolute_results: whether absolute results fix the zero of the component, so that values need no shift
create view compared_ligands as
with rounds as (
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
    coalesce(
        list_bool_or(list_transform(estimates.notes, lambda note: starts_with(note, 'absolute-results:'))), false
    ) as absolute_results,
    measured.experiment_kcal_mol,
    measured.experiment_uncertainty_kcal_mol,
    estimates.estimated_at
from network_estimates as estimates
join newest_experiments as measured using (network, kind, ligand)
join rounds using (network)
where estimates.value_kcal_mol is not null;
