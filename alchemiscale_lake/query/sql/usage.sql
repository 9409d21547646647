-- usage: attempts and compute time since a given time
-- grain: one row per day, scope, protocol, host, pool or network, depending on $by; null where unknown
-- inputs: results, transformations, network_members
-- parameters: $by, $scope (a pattern or null), $since (null: from the first result),
--   $until (null: to the last result); tasks_per_day is computed from the days between these two
-- results without times, as of imported tables (their wall time is 0), have no day and are in no rate; with $since, they
-- count by the time of their file
-- a Transformation of two networks counts in both; a Task with two good results counts once; a result of another Scope
-- counts there
with places as (
    select
        transformation,
        protocol_qualname as name
    from transformations
    where $by = 'protocol'
    union all
    select
        member as transformation,
        network as name
    from network_members
    where
        $by = 'network'
        and kind = 'transformation'
),
picked as (
    select
        case $by
            when 'day' then case when results.wall_time_s > 0 then strftime(results.ended_at at time zone 'UTC', '%Y-%m-%d') end
            when 'scope' then results.scope
            when 'host' then results.hostname
            when 'pool' then results.pool
            else places.name
        end as name,
        results.task,
        results.ok,
        results.started_at,
        results.ended_at,
        results.wall_time_s,
        results.cpu_time_s,
        results.gpu_time_s,
        results.n_bytes
    from results
    left join places using (transformation)
    where
        results.origin_attempt is null
        and in_scope(results.scope, $scope)
        and ($since::timestamptz is null or results.ended_at >= $since::timestamptz)
),
span as (
    select
        coalesce($since::timestamptz, min(started_at)) as since,
        coalesce($until::timestamptz, max(ended_at)) as until
    from picked
    where wall_time_s > 0
),
summed as (
    select
        name,
        count(*) as n_attempts,
        count(*) filter (not ok) as n_failed,
        count(distinct task) filter (ok) as n_tasks,
        count(distinct task) filter (ok and wall_time_s > 0) as n_timed,
        min(started_at) filter (wall_time_s > 0) as first_start,
        max(ended_at) filter (wall_time_s > 0) as last_end,
        sum(wall_time_s) / 3600 as wall_h,
        coalesce(sum(cpu_time_s), 0) / 3600 as core_h,
        coalesce(sum(gpu_time_s), 0) / 3600 as gpu_h,
        coalesce(sum(n_bytes), 0)::bigint as result_bytes
    from picked
    group by name
)
select
    summed.name,
    summed.n_tasks,
    case
        when summed.n_timed = 0 and summed.n_tasks > 0 then null
        when $by = 'day' then summed.n_timed
        else summed.n_timed / greatest(1.0, coalesce(epoch(span.until - span.since), 0) / 86400)
    end::double as tasks_per_day,
    summed.n_attempts,
    summed.n_failed,
    summed.n_failed / summed.n_attempts as failure_rate,
    wilson_low(summed.n_failed, summed.n_attempts) as failure_rate_low,
    wilson_high(summed.n_failed, summed.n_attempts) as failure_rate_high,
    summed.wall_h,
    summed.core_h,
    summed.gpu_h,
    summed.result_bytes,
    summed.n_timed,
    summed.first_start,
    summed.last_end
from summed
cross join span
order by summed.name nulls last;
