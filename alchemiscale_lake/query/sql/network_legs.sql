-- network_legs: Transformations of each network with results, failures and estimate
-- grain: one row per network and Transformation
-- inputs: network_members, transformations, counted_results, results, task_states, current_transformation_estimates
-- parameters: none; filter by scope, network, transformation, state
-- ligand_i, ligand_j: nodes of the network; null for a state without ligand, and ligand_j for a NonTransformation
-- state: ok (has an estimate), error (good results without an estimate, or failed and nothing in flight), pending
create view network_legs as
with ends as (
    select
        transformation,
        case
            when ligand_a_name is null and ligand_b_name is null then coalesce(state_a_name, state_a)
            else ligand_a_name
        end as ligand_i,
        case
            when state_b is null then null
            when ligand_a_name is null and ligand_b_name is null then coalesce(state_b_name, state_b)
            else ligand_b_name
        end as ligand_j
    from transformations
),
good as (
    select
        transformation,
        count(*) as n_results
    from counted_results
    group by transformation
),
bad as (
    select
        transformation,
        count(*) as n_failed
    from results
    where not ok
    group by transformation
),
live as (
    select
        transformation,
        count(*) as n_live
    from task_states
    where status in ('waiting', 'running')
    group by transformation
)
select
    network_members.scope,
    network_members.network,
    transformations.transformation,
    transformations.name,
    transformations.qualname,
    transformations.phase,
    transformations.environment,
    ends.ligand_i,
    ends.ligand_j,
    coalesce(good.n_results, 0) as n_results,
    coalesce(bad.n_failed, 0) as n_failed,
    coalesce(live.n_live, 0) as n_live,
    estimates.value_kcal_mol,
    estimates.uncertainty_kcal_mol,
    case
        when estimates.status is not null then estimates.status
        when good.n_results is null and bad.n_failed is not null and live.n_live is null then 'error'
        else 'pending'
    end as state,
    estimates.note
from network_members
join transformations
    on network_members.member = transformations.transformation
join ends
    on network_members.member = ends.transformation
left join good
    on network_members.member = good.transformation
left join bad
    on network_members.member = bad.transformation
left join live
    on network_members.member = live.transformation
left join current_transformation_estimates as estimates
    on network_members.member = estimates.transformation
where network_members.kind = 'transformation';
