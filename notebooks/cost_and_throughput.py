"""Cost and throughput: GPU-hours, results per day, failure rates, hours per result by host."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Cost and throughput")


@app.cell
def _():
    import marimo as mo
    import polars as pl

    import alchemiscale_lake
    from alchemiscale_lake.costs import pricing
    from alchemiscale_lake.costs import remaining_work as remaining
    from alchemiscale_lake.pools_file import find_pools_file, load_pools
    from alchemiscale_lake.report import cost, usage, usage_plots
    from alchemiscale_lake.report.campaign_plots import plot_hours_per_result
    from alchemiscale_lake.report.notebook import frame, open_lake, picture
    from alchemiscale_lake.store import now_utc

    return (
        alchemiscale_lake,
        cost,
        find_pools_file,
        frame,
        load_pools,
        mo,
        now_utc,
        open_lake,
        picture,
        pl,
        plot_hours_per_result,
        pricing,
        remaining,
        usage,
        usage_plots,
    )


@app.cell
def _(alchemiscale_lake, mo, open_lake):
    lake = open_lake()
    con = alchemiscale_lake.connect(lake)
    mo.md(f"# Cost and throughput\n\n`{lake.url}`")
    return con, lake


@app.cell
def _(con, mo):
    # the following cells need a lake with results
    mo.stop(not con.sql("from results limit 1").fetchall(), mo.md("*There are no results yet.*"))
    used = con
    return (used,)


@app.cell
def _(picture, usage_plots, used):
    picture(usage_plots.plot_throughput(used, by="host"), "cumulative results and hours by host")
    return


@app.cell
def _(mo):
    by = mo.ui.dropdown(["host", "day", "pool", "protocol", "scope", "network"], value="host", label="Usage by")
    by
    return (by,)


@app.cell
def _(by, frame, usage, used):
    frame(usage.usage_table(used, by.value))
    return


@app.cell
def _(mo):
    mo.md("""
    ## Hours per result
    """)
    return


@app.cell
def _(con, mo, picture, plot_hours_per_result):
    hours = con.sql("""
        select
            concat_ws(', ', transformations.phase, coalesce(hosts.gpu_model, results.hostname)) as label,
            coalesce(nullif(results.gpu_time_s, 0), results.wall_time_s) / 3600 as hours
        from results
        join transformations using (transformation)
        left join hosts on results.host = hosts.host
        where results.ok
    """).pl()
    mo.stop(not len(hours), mo.md("*There are no successful results yet.*"))
    picture(plot_hours_per_result(hours, title="all networks of the lake"), "hours per result, by phase and GPU")
    return


@app.cell
def _(mo):
    mo.md("""
    ## Most expensive Transformations
    """)
    return


@app.cell
def _(con):
    con.sql("""
        select
            transformations.name,
            count(*) filter (results.ok) as results,
            round(sum(results.gpu_time_s) / 3600, 2) as gpu_hours,
            round(sum(results.gpu_time_s) filter (not results.ok) / 3600, 2) as failed_gpu_hours
        from results
        join transformations using (transformation)
        group by transformations.name
        order by gpu_hours desc nulls last, transformations.name
        limit 20
    """).pl()
    return


@app.cell
def _(mo):
    mo.md("""
    ## Remaining work and its cost
    """)
    return


@app.cell
def _(con, mo):
    _found = con.sql("""
        select network, name
        from network_states
        where state <> 'deleted'
        order by name, network
    """).fetchall()
    _options = {f"{name or network} ({network.split('-', 2)[2]})": network for network, name in _found}
    network = mo.ui.dropdown(_options, value=next(iter(_options), None), label="Network")
    n_tasks = mo.ui.number(start=1, stop=50, value=1, label="Tasks per Transformation")
    mo.vstack([network, n_tasks])
    return n_tasks, network


@app.cell
def _(cost, find_pools_file, lake, load_pools, mo, n_tasks, network, now_utc, pricing, remaining):
    mo.stop(network.value is None, mo.md("*There are no networks yet.*"))
    now = now_utc()
    pools_file = find_pools_file(None)
    pools = load_pools(pools_file) if pools_file else None
    left = remaining.remaining_of_network(lake, network.value, tasks_per_transformation=n_tasks.value, now=now)
    priced = pricing.price(lake, left, pools, now=now)
    mo.md("\n".join(f"- {line}" for line in cost.price_lines(priced)))
    return (priced,)


@app.cell
def _(cost, frame, priced):
    frame(cost.price_table(priced))
    return


@app.cell
def _(cost, frame, pl, priced):
    frame(cost.transformations_table(priced)).filter(pl.col("running") + pl.col("waiting") + pl.col("new") > 0)
    return


if __name__ == "__main__":
    app.run()
