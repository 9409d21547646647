-- package_versions_of: versions of packages that computed the results of several Scopes, or of one network
-- grain: one row per package and version; of a network, results that were copied to its Scope count too
-- inputs: result_packages, network_members, in_scope
-- parameters: $scope, $network, $package; null for all
select
    package,
    version,
    count(*) as n_results,
    count(*) filter (not ok) as n_failed,
    count(distinct transformation) as n_transformations,
    count(distinct hostname) as n_hosts,
    min(started_at) as first_started_at,
    max(ended_at) as last_ended_at
from result_packages
where
    in_scope(scope, $scope)
    and ($package::varchar is null or package = $package)
    and case
        when $network::varchar is null then not is_copy
        else transformation in (select member from network_members where network = $network)
    end
group by
    package,
    version
order by
    package,
    n_results desc,
    version;
