-- raw_results: individual results of each leg of a network
-- grain: one row per result that counts (of one that holds several repeats, one per repeat), and one per leg without any
-- inputs: network_legs, transformations, counted_results, replicates
-- parameters: $network, $scope (of this network)
with legs as (
    select
        network_legs.transformation,
        network_legs.phase,
        network_legs.environment,
        network_legs.ligand_i,
        network_legs.ligand_j,
        network_legs.state,
        transformations.protocol_qualname as protocol,
        transformations.state_b is not null as has_two_states
    from network_legs
    join transformations
        on network_legs.transformation = transformations.transformation
    where
        network_legs.network = $network
        and network_legs.scope = $scope
),
counted as (
    select
        counted_results.transformation,
        counted_results.attempt,
        counted_results.started_at,
        replicates.replicate,
        coalesce(replicates.value_kcal_mol, counted_results.estimate_kcal_mol) as estimate_kcal_mol,
        case
            when replicates.replicate is null then counted_results.uncertainty_kcal_mol
            else replicates.uncertainty_kcal_mol
        end as uncertainty_kcal_mol
    from counted_results
    left join replicates
        on counted_results.scope = replicates.scope
        and counted_results.attempt = replicates.attempt
    where counted_results.scope = $scope
)
select
    legs.phase,
    legs.environment,
    legs.ligand_i,
    legs.ligand_j,
    legs.transformation,
    legs.protocol,
    legs.has_two_states,
    counted.attempt,
    counted.estimate_kcal_mol,
    counted.uncertainty_kcal_mol,
    case when counted.attempt is null then legs.state else 'ok' end as state
from legs
left join counted
    on legs.transformation = counted.transformation
order by
    legs.phase,
    legs.ligand_i,
    legs.ligand_j,
    legs.transformation,
    counted.started_at,
    counted.attempt,
    counted.replicate;
