-- wilson_low(k, n): lower end of the 95% Wilson interval of a rate, for k successes out of n
-- grain: scalar
-- inputs: none
-- parameters: k, n; null for n = 0
create macro wilson_low(k, n) as (
    case when n > 0 then greatest(0.0, (
        k + 1.920729410347062
        - 1.959963984540054 * sqrt(k * (n - k) / n + 0.960364705173531)
    ) / (n + 3.841458820694124)) end
);
