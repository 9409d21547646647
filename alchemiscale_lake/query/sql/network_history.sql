-- network_history: what happened to a network: results, estimates, decisions, rounds, Tasks, experimental values
-- grain: one row per event; results one by one, Tasks by commit and event, estimates by ligand and changed version
-- inputs: networks, network_members, transformations, network_log, task_log, results, network_estimates, strategy_rounds, assays, assay_log, link_log
-- parameters: $network, $scope, $since, $until
-- before_kcal_mol: the value of the estimate version before
with members as (
    select
        members.member as transformation,
        transformations.name
    from network_members as members
    join transformations
        on members.scope = transformations.scope
        and members.member = transformations.transformation
    where
        members.network = $network
        and members.scope = $scope
),
ligands as (
    select distinct unnest([ligand_a_name, ligand_b_name]) as ligand
    from transformations
    where transformation in (select transformation from members)
),
estimates as (
    select
        estimated_at as "at",
        ligand,
        kind,
        round,
        lag(value_kcal_mol) over versions as before_kcal_mol,
        value_kcal_mol,
        lag(uncertainty_kcal_mol) over versions as before_uncertainty,
        uncertainty_kcal_mol
    from network_estimates
    where
        network = $network
        and scope = $scope
    window versions as (partition by kind, ligand order by round)
),
events as (
    select
        created_at as "at",
        'network' as what,
        coalesce(name, network) as subject,
        concat(coalesce(made_by, 'stored'), ': ', n_transformations, ' Transformations') as change,
        null::double as before_kcal_mol,
        null::double as value_kcal_mol,
        null::double as uncertainty_kcal_mol,
        creator as actor
    from networks
    where
        network = $network
        and scope = $scope
    union all
    select
        "at",
        'decision',
        event,
        concat_ws('; ', case event
            when 'state' then state
            when 'weight' then weight::varchar
            when 'restart_pattern' then concat(pattern, ': ', coalesce(max_retries::varchar, 'removed'))
            when 'strategy' then coalesce(strategy, 'cleared')
            else state
        end, reason),
        null,
        null,
        null,
        actor
    from network_log
    where
        network = $network
        and scope = $scope
    union all
    select
        max("at"),
        'Tasks',
        event,
        concat_ws('; ', concat(count(distinct task), ' Tasks', case when event = 'status' then concat(' set ', any_value(status)) else '' end), any_value(reason)),
        null,
        null,
        null,
        any_value(actor)
    from task_log
    where
        scope = $scope
        and transformation in (select transformation from members)
        and event in ('created', 'status', 'restarted', 'cancelled')
    group by
        seq,
        event
    union all
    select
        results.recorded_at,
        case when results.ok then 'result' else 'failure' end,
        members.name,
        results.exception,
        null,
        results.estimate_kcal_mol,
        results.uncertainty_kcal_mol,
        results.pool
    from results
    join members
        on results.transformation = members.transformation
    where results.scope = $scope
    union all
    select
        "at",
        'estimate',
        ligand,
        concat(kind, ', version ', round),
        before_kcal_mol,
        value_kcal_mol,
        uncertainty_kcal_mol,
        null
    from estimates
    where (before_kcal_mol, before_uncertainty) is distinct from (value_kcal_mol, uncertainty_kcal_mol)
    union all
    select
        max("at"),
        'round',
        concat('round ', round),
        concat_ws('; ', concat(any_value(state), ', ', sum(n_tasks)::bigint, ' Tasks'), any_value(coalesce(stop, exception))),
        null,
        null,
        null,
        any_value(actor)
    from strategy_rounds
    where
        network = $network
        and scope = $scope
    group by round
    union all
    select
        entered_at,
        'experiment',
        ligand,
        concat(kind, ', ', source),
        null,
        value_kcal_mol,
        uncertainty_kcal_mol,
        entered_by
    from assays
    where
        scope = $scope
        and ligand in (select ligand from ligands)
    union all
    select
        "at",
        'experiment',
        ligand,
        concat_ws('; ', concat(kind, ', ', source, ': ', event), reason),
        null,
        value_kcal_mol,
        null,
        actor
    from assay_log
    where
        scope = $scope
        and ligand in (select ligand from ligands)
    union all
    select
        "at",
        'link',
        concat(ligand_i, ' -> ', ligand_j),
        concat_ws('; ', concat(kind, ': ', event), reason),
        null,
        value_kcal_mol,
        uncertainty_kcal_mol,
        actor
    from link_log
    where
        scope = $scope
        and ligand_i in (select ligand from ligands)
        and ligand_j in (select ligand from ligands)
)
select
    "at",
    what,
    subject,
    change,
    before_kcal_mol,
    value_kcal_mol,
    uncertainty_kcal_mol,
    actor
from events
where
    "at" > $since
    and "at" <= $until
order by
    "at",
    what,
    subject,
    change,
    value_kcal_mol;
