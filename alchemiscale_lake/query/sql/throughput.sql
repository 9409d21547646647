-- throughput: attempts and compute time by day (UTC), Scope, pool, host and Protocol
-- grain: one row per day, Scope, pool, host and Protocol
-- inputs: results, transformations; a result of another Scope counts there
-- parameters: none; filter by scope, day, hostname, protocol
create view throughput as
select
    (results.ended_at at time zone 'UTC')::date as day,
    results.scope,
    results.pool,
    results.hostname,
    transformations.protocol_qualname as protocol,
    count(*) filter (results.ok) as n_results,
    count(*) filter (not results.ok) as n_failed,
    sum(results.wall_time_s) / 3600 as wall_h,
    coalesce(sum(results.cpu_time_s), 0) / 3600 as core_h,
    coalesce(sum(results.gpu_time_s), 0) / 3600 as gpu_h,
    coalesce(sum(results.n_bytes), 0)::bigint as stored_bytes
from results
left join transformations
    on results.transformation = transformations.transformation
where results.origin_attempt is null
group by all;
