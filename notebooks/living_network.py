"""Follow Strategy rounds and growth: uncertainty against GPU-hours, what was asked for and why, design files."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="A living network")


@app.cell
def _():
    import marimo as mo

    import alchemiscale_lake
    from alchemiscale_lake.report.network_view import network_page
    from alchemiscale_lake.report.notebook import frame, open_lake
    from alchemiscale_lake.report.round_page import round_page
    from alchemiscale_lake.report.rounds import explanation_table, rounds_table
    from alchemiscale_lake.rounds.network_progress import network_progress

    return (
        alchemiscale_lake,
        explanation_table,
        frame,
        mo,
        network_page,
        network_progress,
        open_lake,
        round_page,
        rounds_table,
    )


@app.cell
def _(mo, open_lake):
    lake = open_lake()
    refresh = mo.ui.refresh(options=["2m", "10m"], label="Refresh every")
    mo.md(f"# A living network\n\n`{lake.url}`")
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
        where state = 'active'
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
def _(lake, mo, network, network_progress):
    mo.stop(network.value is None, mo.md("*There are no networks yet.*"))
    chosen = network.value
    progress = network_progress(lake, chosen)
    _forecast = progress.forecast
    if _forecast is None or _forecast.target_kcal_mol is None:
        _goal = "Its Strategy has no target for the uncertainty."
    elif _forecast.gpu_hours_to_target is None:
        _goal = f"Its target of {_forecast.target_kcal_mol:g} kcal/mol is not in sight."
    else:
        _goal = f"{_forecast.gpu_hours_to_target:.3g} GPU-hours more to {_forecast.target_kcal_mol:g} kcal/mol."
    mo.md(
        f"**{progress.gpu_hours:.4g} GPU-hours** spent, {progress.in_flight_gpu_hours:.3g} in flight, "
        f"{len(progress.points)} estimate versions. {_goal}"
    )
    return chosen, progress


@app.cell
def _(chosen, lake, progress, round_page):
    round_page(lake, chosen, progress=progress)
    return


@app.cell
def _(mo):
    mo.md("""
    ## Rounds, and what the last one asked for
    """)
    return


@app.cell
def _(chosen, frame, lake, mo, rounds_table):
    _rounds = frame(rounds_table(lake, chosen))
    _rounds if len(_rounds) else mo.md("*No round has been run yet; see `alchemiscale-lake strategy set --help`.*")
    return


@app.cell
def _(chosen, explanation_table, frame, lake, mo):
    explained = frame(explanation_table(lake, chosen))
    explained if len(explained) else mo.md("")
    return (explained,)


@app.cell
def _(mo):
    mo.md("""
    ## The network, by uncertainty
    """)
    return


@app.cell
def _(chosen, lake, network_page):
    network_page(lake, chosen, colour="uncertainty")
    return


@app.cell
def _(mo):
    mo.md("""
    ## Design files, newest first
    """)
    return


@app.cell
def _(chosen, con, mo):
    _files = con.sql(
        """
        select design_files.at, path, outcome, n_new, n_transformations, reason
        from design_files
        where (scope, name) in (select (scope, name) from networks where network = $network)
        order by pickup desc, path
        """,
        params={"network": chosen},
    ).pl()
    _files if len(_files) else mo.md("*It has not grown by design files.*")
    return


if __name__ == "__main__":
    app.run()
