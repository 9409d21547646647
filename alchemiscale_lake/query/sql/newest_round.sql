-- newest_round: the latest whole round of one network
-- grain: one row, of nulls before the first round
-- inputs: network_estimates
-- parameters: $network
select
    max(round) as round,
    arg_max(inputs_digest, round) as inputs_digest
from network_estimates
where network = $network;
