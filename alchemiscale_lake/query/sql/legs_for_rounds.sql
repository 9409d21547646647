-- legs_for_rounds: Transformations of a network with what a Strategy decides on
-- grain: one row per Transformation
-- inputs: network_legs, transformations, current_transformation_estimates, results
-- parameters: $network (a ScopedKey), $since (a time)
-- gpu_hours: of all attempts of this Scope, failed ones included; worker-hours where no GPU was used
with spent as (
    select
        transformation,
        sum(coalesce(nullif(gpu_time_s, 0), wall_time_s)) / 3600 as gpu_hours,
        sum(coalesce(nullif(gpu_time_s, 0), wall_time_s)) filter (ended_at >= $since) / 3600 as recent_gpu_hours
    from results
    where origin_attempt is null
    group by transformation
)
select
    legs.transformation,
    legs.qualname,
    legs.phase,
    legs.environment,
    -- a ligand that is decoupled connects to the node '(none)', the same in every environment
    coalesce(legs.ligand_i, '(none)') as ligand_i,
    case when transformations.state_b is not null then coalesce(legs.ligand_j, '(none)') end as ligand_j,
    legs.n_results,
    transformations.state_a,
    transformations.state_b,
    transformations.protocol_qualname as protocol,
    transformations.mapping_score,
    transformations.n_dummy_atoms,
    transformations.charge_change,
    transformations.ring_change,
    estimates.attempts,
    estimates.values_kcal_mol,
    estimates.own_uncertainties_kcal_mol,
    coalesce(spent.gpu_hours, 0) as spent_gpu_hours,
    coalesce(spent.recent_gpu_hours, 0) as recent_gpu_hours
from network_legs as legs
join transformations
    on legs.transformation = transformations.transformation
left join current_transformation_estimates as estimates
    on legs.transformation = estimates.transformation
left join spent
    on legs.transformation = spent.transformation
where legs.network = $network
order by legs.transformation;
