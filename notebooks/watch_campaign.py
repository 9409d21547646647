"""Monitor a campaign: progress, running Tasks, failures and their causes."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Watch a campaign")


@app.cell
def _():
    import marimo as mo
    import polars as pl

    import alchemiscale_lake
    from alchemiscale_lake.query import ask
    from alchemiscale_lake.report.campaign_plots import plot_progress
    from alchemiscale_lake.report.network_view import network_page
    from alchemiscale_lake.report.notebook import open_lake, picture

    return (
        alchemiscale_lake,
        ask,
        mo,
        network_page,
        open_lake,
        picture,
        pl,
        plot_progress,
    )


@app.cell
def _(mo, open_lake):
    lake = open_lake()
    refresh = mo.ui.refresh(options=["30s", "2m", "10m"], label="Refresh every")
    mo.md(f"# Watch a campaign\n\n`{lake.url}`")
    return lake, refresh


@app.cell
def _(alchemiscale_lake, lake, refresh):
    refresh
    con = alchemiscale_lake.connect(lake)
    return (con,)


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
    network
    return (network,)


@app.cell
def _(refresh):
    refresh
    return


@app.cell
def _(ask, con, mo, network):
    mo.stop(network.value is None, mo.md("*There are no networks yet.*"))
    chosen = network.value
    status = ask(con, "network_status", network=chosen).row(0, named=True)
    _counts = {name: status[f"n_{name}"] for name in ("complete", "running", "waiting", "error", "invalid")}
    n_tasks = sum(_counts.values())
    title = status["name"] or "network without a name"
    mo.md(
        f"**{status['name']}** is {status['state']}: "
        + ", ".join(f"{n} {name}" for name, n in _counts.items() if n)
        + f" of {n_tasks} Tasks."
    )
    return chosen, n_tasks, title


@app.cell
def _(chosen, con, mo, n_tasks, picture, plot_progress, title):
    results = con.sql(
        """
        select results.ended_at, results.ok
        from results
        join network_members on results.transformation = network_members.member
        where network_members.network = $network
        """,
        params={"network": chosen},
    ).pl()
    mo.stop(not len(results), mo.md("*No Task has ended yet.*"))
    picture(plot_progress(results, n_tasks, title=title), "results over time")
    return


@app.cell
def _(chosen, lake, network_page):
    network_page(lake, chosen, colour="status")
    return


@app.cell
def _(mo):
    mo.md("""
    ## Remaining Transformations
    """)
    return


@app.cell
def _(chosen, con):
    con.sql(
        """
        select name, n_running, n_waiting, n_complete, n_error
        from transformation_status
        where network = $network and n_running + n_waiting + n_error > 0
        order by n_error desc, n_running desc, name
        """,
        params={"network": chosen},
    ).pl()
    return


@app.cell
def _(mo):
    mo.md("""
    ## Running Tasks by pool
    """)
    return


@app.cell
def _(chosen, con):
    con.sql(
        """
        select task_states.pool, count(*) as n_running, min(task_states.lease_expires_at) as next_lease_ends
        from task_states
        join network_members on task_states.transformation = network_members.member
        where network_members.network = $network and task_states.status = 'running'
        group by task_states.pool
        order by task_states.pool
        """,
        params={"network": chosen},
    ).pl()
    return


@app.cell
def _(mo):
    mo.md("""
    ## Failures, newest first
    """)
    return


@app.cell
def _(ask, chosen, con, pl):
    _of_network = con.sql(
        "select member as transformation from network_members where network = $network",
        params={"network": chosen},
    ).pl()
    ask(con, "failures").join(_of_network, on="transformation", how="semi").sort(
        "ended_at", "attempt", descending=True
    ).select(
        "transformation_name", "unit", pl.col("exception").str.slice(0, 100), "hostname", "task_status", "ended_at"
    )
    return


if __name__ == "__main__":
    app.run()
