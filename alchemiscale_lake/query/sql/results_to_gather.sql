-- results_to_gather: inputs for the estimates of Transformations
-- grain: one row per result that counts, for the Transformations of some networks
-- inputs: counted_results, replicates, network_members, tasks
-- parameters: $networks (ScopedKeys), $scopes (of these networks)
with members as (
    select distinct member
    from network_members
    where
        list_contains($networks, network)
        and list_contains($scopes, scope)
        and kind = 'transformation'
),
repeats as (
    select
        scope,
        attempt,
        list(value_kcal_mol order by replicate) as values_kcal_mol,
        list(uncertainty_kcal_mol order by replicate) as uncertainties_kcal_mol
    from replicates
    where list_contains($scopes, scope)
    group by
        scope,
        attempt
)
select
    counted.scope,
    counted.transformation,
    counted.attempt,
    counted.estimate_kcal_mol,
    counted.uncertainty_kcal_mol,
    repeats.values_kcal_mol as repeat_values_kcal_mol,
    repeats.uncertainties_kcal_mol as repeat_uncertainties_kcal_mol,
    tasks.extends is not null as extends
from counted_results as counted
semi join members
    on counted.transformation = members.member
left join repeats
    on counted.scope = repeats.scope
    and counted.attempt = repeats.attempt
left join tasks
    on counted.scope = tasks.scope
    and counted.task = tasks.task
where list_contains($scopes, counted.scope)
order by
    counted.transformation,
    counted.attempt;
