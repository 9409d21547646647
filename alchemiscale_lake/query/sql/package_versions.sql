-- package_versions: versions of packages that computed results
-- grain: one row per Scope, package and version; a result of another Scope counts there
-- inputs: results, hosts
-- parameters: none; filter by scope, package, version
create view package_versions as
select
    results.scope,
    entry.package,
    json_extract_string(hosts.packages_json, '$."' || entry.package || '"') as version,
    count(*) as n_results,
    count(*) filter (not results.ok) as n_failed,
    count(distinct results.transformation) as n_transformations,
    count(distinct results.hostname) as n_hosts,
    min(results.started_at) as first_started_at,
    max(results.ended_at) as last_ended_at
from results
join (
    select
        host,
        packages_json,
        json_keys(packages_json) as packages
    from hosts
) as hosts using (host),
unnest(hosts.packages) as entry (package)
where results.origin_attempt is null
group by
    results.scope,
    entry.package,
    version;
