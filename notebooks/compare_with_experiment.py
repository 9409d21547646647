"""Compare estimates with experiment: plots in cinnabar's form, statistics with intervals, the worst of both."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Compare with experiment")


@app.cell
def _():
    import marimo as mo
    import polars as pl

    import alchemiscale_lake
    from alchemiscale_lake.query import ask
    from alchemiscale_lake.report import ddg_pairs, dg_pairs, plot_pairs
    from alchemiscale_lake.report.network_view import network_page
    from alchemiscale_lake.report.notebook import open_lake, picture
    from estimators.performance import assess

    return (
        alchemiscale_lake,
        ask,
        assess,
        ddg_pairs,
        dg_pairs,
        mo,
        network_page,
        open_lake,
        picture,
        pl,
        plot_pairs,
    )


@app.cell
def _(alchemiscale_lake, mo, open_lake):
    lake = open_lake()
    con = alchemiscale_lake.connect(lake)
    _found = con.sql("""
        select network_states.network, any_value(network_states.name)
        from ligand_ranking
        join network_states using (network)
        group by network_states.network
        order by count(ligand_ranking.experiment_kcal_mol) desc, network_states.network
    """).fetchall()
    _options = {f"{name or network} ({network.split('-', 2)[2]})": network for network, name in _found}
    network = mo.ui.dropdown(_options, value=next(iter(_options), None), label="Network")
    mo.md(f"# Compare with experiment\n\n`{lake.url}`\n\n{network}")
    return con, lake, network


@app.cell
def _(mo, network):
    mo.stop(network.value is None, mo.md("*No network has estimates yet: `alchemiscale-lake gather` makes them.*"))
    chosen = network.value
    return (chosen,)


@app.cell
def _(ask, chosen, con, ddg_pairs, dg_pairs, mo):
    ranking = ask(con, "ligand_ranking", network=chosen)
    edges = ask(con, "latest_edges", network=chosen)
    ligands, differences = dg_pairs(ranking), ddg_pairs(edges, ranking)
    mo.stop(not len(ligands), mo.md("*No ligand has an experimental value: `alchemiscale-lake assays` imports them.*"))
    return differences, ligands


@app.cell
def _(differences, ligands, picture, plot_pairs):
    from matplotlib.figure import Figure as _Figure

    _figure = _Figure(figsize=(6.5, 3.25), layout="constrained")
    _left, _right = _figure.subplots(1, 2)
    plot_pairs(ligands, title="ligands", ax=_left)
    if len(differences):
        plot_pairs(differences, quantity="ΔΔG", title="edges", ax=_right)
    else:
        _right.set_axis_off()
    picture(_figure, "calculated against experimental: ligands on the left, edges on the right")
    return


@app.cell
def _(mo):
    mo.md("""
    ## Statistics, with 95 % bootstrap intervals
    """)
    return


@app.cell
def _(assess, differences, ligands, pl):
    pl.DataFrame(
        [
            {"of": name, "n": found.n, "statistic": s.name, "value": s.value, "low": s.low, "high": s.high}
            for name, pairs in (("ligands", ligands), ("edges", differences))
            if len(pairs) > 2
            for found in [assess(pairs["estimate"].to_numpy(), pairs["experiment"].to_numpy(), relative=False)]
            for s in found.statistics
        ]
    ).with_columns(pl.col(pl.Float64).round(3))
    return


@app.cell
def _(mo):
    mo.md("""
    ## What does not fit among the results themselves
    """)
    return


@app.cell
def _(ask, chosen, con, pl):
    ask(con, "latest_findings", network=chosen, flagged=True).select(
        "checked", "says", pl.col("p_value").map_elements("{:.1e}".format, return_dtype=pl.String)
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Farthest from experiment
    """)
    return


@app.cell
def _(ligands, pl):
    ligands.select(
        ligand="label",
        estimate="estimate",
        uncertainty="estimate_uncertainty",
        experiment="experiment",
        off=pl.col("estimate") - pl.col("experiment"),
    ).sort(pl.col("off").abs(), descending=True).head(10).with_columns(pl.col(pl.Float64).round(2))
    return


@app.cell
def _(chosen, lake, network_page):
    network_page(lake, chosen, colour="residual")
    return


if __name__ == "__main__":
    app.run()
