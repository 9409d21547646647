-- legs_to_compute: legs of some networks with all inputs for an estimate version
-- grain: one row per network and Transformation
-- inputs: network_legs, transformations, current_transformation_estimates
-- parameters: $networks (ScopedKeys), $scopes (of these networks)
-- failed: no estimate, and no Task waiting or running
select
    legs.network,
    legs.transformation,
    legs.qualname,
    legs.phase,
    legs.environment,
    -- a ligand that is decoupled connects to the node '(none)', the same in every environment
    coalesce(legs.ligand_i, '(none)') as ligand_i,
    case when transformations.state_b is not null then coalesce(legs.ligand_j, '(none)') end as ligand_j,
    transformations.protocol_qualname as protocol,
    legs.value_kcal_mol,
    estimates.own_uncertainty_kcal_mol,
    estimates.sd_kcal_mol,
    estimates.attempts,
    estimates.values_kcal_mol,
    legs.state = 'error' as failed
from network_legs as legs
join transformations
    on legs.transformation = transformations.transformation
left join current_transformation_estimates as estimates
    on legs.transformation = estimates.transformation
where
    list_contains($networks, legs.network)
    and list_contains($scopes, legs.scope)
order by
    legs.network,
    legs.phase,
    ligand_i,
    ligand_j,
    legs.transformation;
