-- attempts: every claimed run of a Task, with its end, host and number of finished units
-- grain: one row per attempt; imported results are attempts without a claim
-- inputs: task_log, results, unit_results, attempt_ends
-- parameters: none; filter by scope, task, attempt, outcome, hostname
-- outcome: running, complete, error, released, expired
create view attempts as
with claims as (
    select
        scope,
        task,
        of_attempt as attempt,
        transformation,
        pool,
        actor as dispatcher,
        task_log.at as claimed_at,
        seq
    from task_log
    where event = 'claimed'
),
log_ends as (
    select
        scope,
        task,
        of_attempt as attempt,
        event,
        reason,
        task_log.at as logged_at
    from task_log
    where
        of_attempt is not null
        and event in ('completed', 'failed', 'released', 'expired', 'status')
    qualify row_number() over (partition by scope, task, of_attempt order by seq, idx) = 1
),
units as (
    select
        scope,
        attempt,
        count(distinct unit) filter (ok and unit not in ('create', 'gather', 'finish', 'prepare')) as units_done
    from unit_results
    group by scope, attempt
),
joined as (
    select
        coalesce(claims.scope, results.scope) as scope,
        coalesce(claims.task, results.task) as task,
        coalesce(claims.attempt, results.attempt) as attempt,
        coalesce(claims.transformation, results.transformation) as transformation,
        claims.seq,
        coalesce(claims.pool, results.pool) as pool,
        claims.dispatcher,
        claims.claimed_at,
        results.ok,
        results.host,
        results.hostname,
        results.queue_job,
        results.started_at,
        results.ended_at,
        results.wall_time_s,
        results.exception,
        results.failed_unit,
        results.units_total,
        results.object_path
    from claims
    full join results
        on claims.scope = results.scope
        and claims.attempt = results.attempt
)
select
    joined.scope,
    joined.task,
    joined.attempt,
    joined.transformation,
    row_number() over (
        partition by joined.scope, joined.task
        order by joined.seq nulls first, joined.started_at, joined.attempt
    ) as attempt_number,
    case
        when joined.ok then 'complete'
        when not joined.ok then 'error'
        when log_ends.event is null then 'running'
        when log_ends.event = 'expired' then 'expired'
        else 'released'
    end as outcome,
    joined.pool,
    joined.dispatcher,
    coalesce(
        joined.hostname,
        attempt_ends.hostname,
        nullif(regexp_extract(log_ends.reason, '^(?:stopped|refused|walltime|unreadable): .*\(([^()\s]+)\)$', 1), '')
    ) as hostname,
    coalesce(joined.queue_job, attempt_ends.queue_job) as queue_job,
    coalesce(joined.host, attempt_ends.host) as host,
    joined.claimed_at,
    coalesce(joined.started_at, attempt_ends.started_at) as started_at,
    coalesce(joined.ended_at, attempt_ends.last_seen_at, log_ends.logged_at) as ended_at,
    joined.wall_time_s,
    coalesce(attempt_ends.units_done, units.units_done) as units_done,
    coalesce(
        joined.units_total,
        attempt_ends.units_total,
        case when joined.ok then units.units_done end
    ) as units_total,
    coalesce(joined.exception, log_ends.reason) as reason,
    joined.failed_unit,
    joined.object_path
from joined
left join log_ends
    on joined.scope = log_ends.scope
    and joined.task = log_ends.task
    and joined.attempt = log_ends.attempt
left join units
    on joined.scope = units.scope
    and joined.attempt = units.attempt
left join attempt_ends
    on joined.scope = attempt_ends.scope
    and joined.attempt = attempt_ends.attempt;
