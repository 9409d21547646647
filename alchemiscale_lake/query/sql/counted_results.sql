-- counted_results: the results that count, one good result per Task
-- grain: one row per Task with a good result; if there are several (a late attempt), the first by (started_at,
-- attempt)
-- inputs: results, result_estimates, task_states; results of invalid and deleted Tasks are ignored
-- parameters: none; filter by scope, transformation, task
create view counted_results as
with struck as (
    select task
    from task_states
    where status in ('invalid', 'deleted')
),
counted as (
    select *
    from results
    where
        ok
        and task not in (select task from struck)
    qualify row_number() over (partition by scope, transformation, task order by started_at, attempt) = 1
)
select
    counted.* replace (
        coalesce(counted.estimate_kcal_mol, late.value_kcal_mol) as estimate_kcal_mol,
        case
            when counted.estimate_kcal_mol is null then late.uncertainty_kcal_mol
            else counted.uncertainty_kcal_mol
        end as uncertainty_kcal_mol
    )
from counted
left join result_estimates as late
    on counted.scope = late.scope
    and counted.attempt = late.attempt;
