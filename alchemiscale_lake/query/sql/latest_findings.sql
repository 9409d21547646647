-- latest_findings: inconsistencies among the results of each network, as of its newest estimate version
-- grain: one row per network, check, kind and subject; rank 1 is the least probable of its check and kind
-- inputs: network_findings, network_estimates (written last: they make a round visible)
-- parameters: none; filter by scope, network, checked, kind, flagged
create view latest_findings as
with latest as (
    select
        network,
        max(round) as round
    from network_estimates
    group by network
)
select
    network_findings.* exclude (says)
        replace (coalesce(network_findings.description, network_findings.says) as description)
from network_findings
join latest using (network, round);
