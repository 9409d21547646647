"""Cost and throughput: GPU-hours, results per day, failure rates, what one result takes and where."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Cost and throughput")


@app.cell
def _():
    import marimo as mo

    import alchemiscale_lake
    from alchemiscale_lake.report.campaign_plots import plot_hours_per_result
    from alchemiscale_lake.report.notebook import open_lake, picture

    return alchemiscale_lake, mo, open_lake, picture, plot_hours_per_result


@app.cell
def _(alchemiscale_lake, mo, open_lake):
    lake = open_lake()
    con = alchemiscale_lake.connect(lake)
    mo.md(f"# Cost and throughput\n\n`{lake.url}`")
    return (con,)


@app.cell
def _(con):
    con.sql("""
        select day, pool, sum(n_results)::int as results, sum(n_failed)::int as failed, sum(gpu_h) as gpu_hours
        from throughput
        group by all
        order by day, pool
    """).pl()
    return


@app.cell
def _(mo):
    mo.md("""
    ## Hosts
    """)
    return


@app.cell
def _(con):
    con.sql("""
        select
            hostname,
            pool,
            sum(n_results)::int as results,
            sum(n_failed)::int as failed,
            sum(n_failed) / sum(n_results + n_failed) as failure_rate,
            sum(gpu_h) as gpu_hours,
            sum(wall_h) as wall_hours
        from throughput
        group by all
        order by failure_rate desc, hostname
    """).pl()
    return


@app.cell
def _(mo):
    mo.md("""
    ## What one result takes
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
    mo.stop(not len(hours), mo.md("*There is no result yet.*"))
    picture(plot_hours_per_result(hours), "hours per result, by phase and GPU")
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
            sum(results.gpu_time_s) / 3600 as gpu_hours,
            sum(results.gpu_time_s) filter (not results.ok) / 3600 as of_them_lost
        from results
        join transformations using (transformation)
        group by transformations.name
        order by gpu_hours desc nulls last, transformations.name
        limit 20
    """).pl()
    return


if __name__ == "__main__":
    app.run()
