"""Compare estimates with experiment: plots in cinnabar's form, statistics with intervals, ranking probabilities."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Compare with experiment")


@app.cell
def _():
    import marimo as mo
    import polars as pl

    import alchemiscale_lake
    from alchemiscale_lake.estimates import comparisons, experiment_pairs, ranked_ligands
    from alchemiscale_lake.query import ask
    from alchemiscale_lake.report import performance, plots
    from alchemiscale_lake.report.network_view import network_page
    from alchemiscale_lake.report.notebook import frame, open_lake, picture

    return (
        alchemiscale_lake,
        ask,
        comparisons,
        experiment_pairs,
        frame,
        mo,
        network_page,
        open_lake,
        performance,
        picture,
        pl,
        plots,
        ranked_ligands,
    )


@app.cell
def _(alchemiscale_lake, mo, open_lake):
    lake = open_lake()
    con = alchemiscale_lake.connect(lake)
    # networks with the most experimental values first
    _found = con.sql("""
        select network_states.network, any_value(network_states.name)
        from ligand_ranking
        join network_states using (network)
        group by network_states.network
        order by count(ligand_ranking.experiment_kcal_mol) desc, network_states.network
    """).fetchall()
    _options = {f"{name or network} ({network.split('-', 2)[2]})": network for network, name in _found}
    network = mo.ui.dropdown(_options, value=next(iter(_options), None), label="Network")
    names = {network: name or "network without a name" for network, name in _found}
    mo.md(f"# Compare with experiment\n\n`{lake.url}`\n\n{network}")
    return con, lake, names, network


@app.cell
def _(mo, network):
    mo.stop(network.value is None, mo.md("*No network has estimates yet: run `alchemiscale-lake gather`.*"))
    chosen = network.value
    return (chosen,)


@app.cell
def _(chosen, comparisons, con, experiment_pairs, mo):
    _ligands = comparisons.compared_pairs(con, "dG", network=chosen)
    _edges = comparisons.compared_pairs(con, "ddG", network=chosen)
    mo.stop(
        _ligands["ligand"].n_unique() < 2,
        mo.md("*Fewer than two ligands have experimental values: import them with `alchemiscale-lake assays`.*"),
    )
    panels = {"ΔG": experiment_pairs.centred_pairs(_ligands), "ΔΔG": experiment_pairs.edge_pairs(_edges)}
    measured = chosen
    return measured, panels


@app.cell
def _(measured, names, panels, picture, plots):
    _drawn = {name: pairs for name, pairs in panels.items() if len(pairs)}
    picture(
        plots.plot_comparison(_drawn, title=names[measured]), "calculated against experimental, ligands beside edges"
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Statistics, with 95 % bootstrap intervals
    """)
    return


@app.cell
def _(comparisons, con, frame, measured, mo, performance):
    _shown = ("RMSE", "MUE", "R2", "kendall_tau", "spearman_rho")
    _now = comparisons.compare(con, network=measured)
    _rows = frame(performance.comparison_table(_now, statistics=_shown))
    mo.vstack(
        [
            _rows.select("kind", "quantity", "n", "statistic", "value", "low", "high"),
            *(mo.md(f"*{line}*") for line in performance.too_few([one.performance.n for one in _now])),
        ]
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Over time
    """)
    return


@app.cell
def _(comparisons, con, measured, mo, names, picture, plots):
    _history = comparisons.compare(con, network=measured, over_time=True)
    _several = len({one.round for one in _history}) > 1
    picture(
        plots.plot_over_time(_history, title=names[measured]), "RMSE of every estimate version"
    ) if _several else mo.md("*There is only one estimate version so far.*")
    return


@app.cell
def _(mo):
    mo.md("""
    ## Ranking probabilities
    """)
    return


@app.cell
def _(chosen, con, frame, performance, ranked_ligands):
    frame(performance.ranking_table(ranked_ligands.rank_network(con, chosen)))
    return


@app.cell
def _(mo):
    mo.md("""
    ## Largest deviations from experiment
    """)
    return


@app.cell
def _(panels, pl):
    panels["ΔG"].select(
        ligand="label",
        estimate="estimate",
        uncertainty="estimate_uncertainty",
        experiment="experiment",
        deviation=pl.col("estimate") - pl.col("experiment"),
    ).sort(pl.col("deviation").abs(), descending=True).head(10).with_columns(pl.col(pl.Float64).round(2))
    return


@app.cell
def _(mo):
    mo.md("""
    ## Inconsistent results
    """)
    return


@app.cell
def _(ask, chosen, con, pl):
    ask(con, "latest_findings", network=chosen, flagged=True).select(
        "checked", "description", p_value=pl.col("p_value").map_elements("{:.1e}".format, return_dtype=pl.String)
    )
    return


@app.cell
def _(chosen, lake, network_page):
    network_page(lake, chosen, colour="residual")
    return


if __name__ == "__main__":
    app.run()
