-- failure_rates: how often attempts fail in each Scope, Protocol, host and pool, with 95% Wilson intervals
-- grain: one row per dimension (scope, protocol, host, pool), Scope and name
-- inputs: throughput
-- parameters: none; filter by scope, dimension, name
create view failure_rates as
with counted as (
    select
        scope,
        unnest(['scope', 'protocol', 'host', 'pool']) as dimension,
        unnest([scope, protocol, hostname, pool]) as name,
        n_results,
        n_failed
    from throughput
),
summed as (
    select
        scope,
        dimension,
        name,
        sum(n_results + n_failed)::bigint as n_attempts,
        sum(n_failed)::bigint as n_failed
    from counted
    group by all
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
from summed;
