-- result_packages: the packages, and their versions, that computed each result
-- grain: one row per result and package of its host's environment
-- inputs: results, hosts
-- parameters: none; filter by scope, attempt, package
-- is_copy: the result was computed for another Scope
create view result_packages as
select
    results.scope,
    results.attempt,
    results.transformation,
    results.ok,
    results.hostname,
    results.started_at,
    results.ended_at,
    results.origin_attempt is not null as is_copy,
    entry.package,
    json_extract_string(hosts.packages_json, '$."' || entry.package || '"') as version
from results
join (
    select
        host,
        packages_json,
        json_keys(packages_json) as packages
    from hosts
) as hosts using (host),
unnest(hosts.packages) as entry (package);
