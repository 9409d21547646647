-- package_versions: versions of packages that computed results
-- grain: one row per Scope, package and version; a result of another Scope counts there
-- inputs: result_packages
-- parameters: none; filter by scope, package, version
create view package_versions as
select
    scope,
    package,
    version,
    count(*) as n_results,
    count(*) filter (not ok) as n_failed,
    count(distinct transformation) as n_transformations,
    count(distinct hostname) as n_hosts,
    min(started_at) as first_started_at,
    max(ended_at) as last_ended_at
from result_packages
where not is_copy
group by
    scope,
    package,
    version;
