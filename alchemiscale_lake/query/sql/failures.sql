-- failures: failed results with the unit that failed
-- grain: one row per failed attempt
-- inputs: results, unit_results, attempt_ends, transformations, task_states
-- parameters: none; filter by scope, task, transformation, task_status
create view failures as
with failed_units as (
    select
        unit_results.attempt,
        unit_results.name,
        unit_results.exception,
        unit_results.traceback,
        unit_results.exit_code,
        unit_results.stdout_path,
        unit_results.stderr_path,
        unit_results.log_path
    from unit_results
    join results using (attempt)
    where
        not unit_results.ok
        and not results.ok
    qualify row_number() over (
        partition by unit_results.attempt
        order by
            unit_results.name is not distinct from results.failed_unit desc,
            unit_results.ended_at desc,
            unit_results.try_number desc
    ) = 1
)
select
    results.scope,
    results.task,
    task_states.status as task_status,
    results.attempt,
    results.transformation,
    transformations.name as transformation_name,
    coalesce(results.failed_unit, failed_units.name) as unit,
    -- without a unit, the reason is that of the attempt, such as the last of several lost workers
    case
        when results.failed_unit is null then results.exception
        else coalesce(failed_units.exception, results.exception)
    end as exception,
    failed_units.traceback,
    failed_units.exit_code,
    coalesce(results.hostname, attempt_ends.hostname) as hostname,
    results.pool,
    coalesce(results.queue_job, attempt_ends.queue_job) as queue_job,
    failed_units.stdout_path,
    failed_units.stderr_path,
    failed_units.log_path,
    results.started_at,
    results.ended_at
from results
left join failed_units using (attempt)
left join attempt_ends
    on results.scope = attempt_ends.scope
    and results.attempt = attempt_ends.attempt
left join transformations
    on results.transformation = transformations.transformation
left join task_states
    on results.task = task_states.task
where not results.ok;
