-- failure_rates: failure rates of attempts by Scope, Protocol, host and pool, with 95% Wilson intervals
-- grain: one row per dimension (scope, protocol, host, pool), Scope and name
-- inputs: results, transformations; a result of another Scope counts there
-- parameters: none; filter by scope, dimension, name
create view failure_rates as
with attempts as (
    select
        results.scope,
        transformations.protocol_qualname as protocol,
        results.hostname,
        results.pool,
        results.ok
    from results
    left join transformations using (transformation)
    where results.origin_attempt is null
),
counted as (
    select
        scope,
        case grouping(protocol, hostname, pool)
            when 3 then 'protocol'
            when 5 then 'host'
            when 6 then 'pool'
            else 'scope'
        end as dimension,
        case grouping(protocol, hostname, pool)
            when 3 then protocol
            when 5 then hostname
            when 6 then pool
            else scope
        end as name,
        count(*) as n_attempts,
        count(*) filter (not ok) as n_failed
    from attempts
    group by grouping sets (
        (scope),
        (scope, protocol),
        (scope, hostname),
        (scope, pool)
    )
)
select
    scope,
    dimension,
    name,
    n_attempts,
    n_failed,
    n_failed / n_attempts as failure_rate,
    wilson_low(n_failed, n_attempts) as failure_rate_low,
    wilson_high(n_failed, n_attempts) as failure_rate_high
from counted;
