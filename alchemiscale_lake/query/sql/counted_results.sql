-- counted_results: the results that count, one good one per Task
-- grain: one row per Task with a good result; of several (a late attempt) the first by (started_at, attempt)
-- inputs: results, task_states; results of invalid and deleted Tasks do not count
-- parameters: none; filter by scope, transformation, task
create view counted_results as
with struck as (
    select task
    from task_states
    where status in ('invalid', 'deleted')
)
select *
from results
where
    ok
    and task not in (select task from struck)
qualify row_number() over (partition by scope, transformation, task order by started_at, attempt) = 1;
