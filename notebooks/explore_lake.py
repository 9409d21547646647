"""Explore a lake in SQL: its contents, the named queries, and any statement of your own."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Explore a lake")


@app.cell
def _():
    import marimo as mo
    import polars as pl

    import alchemiscale_lake
    from alchemiscale_lake import query, schemas
    from alchemiscale_lake.report.network_view import network_page
    from alchemiscale_lake.report.notebook import open_lake

    return alchemiscale_lake, mo, network_page, open_lake, pl, query, schemas


@app.cell
def _(alchemiscale_lake, open_lake):
    lake = open_lake()
    # one snapshot of every table: run this cell again to see newer rows
    con = alchemiscale_lake.connect(lake)
    return con, lake


@app.cell
def _(lake, mo):
    mo.md(f"""
    # Explore a lake

    `{lake.url}`. Every table and every named query is a view of the DuckDB connection `con`, which is read-only.
    """)
    return


@app.cell
def _(mo):
    mo.md("""
    ## Networks
    """)
    return


@app.cell
def _(con):
    con.sql("""
        select name, scope, state, n_transformations, n_complete, n_running, n_waiting, n_error
        from network_status
        order by scope, name
    """).pl()
    return


@app.cell
def _(mo):
    mo.md("""
    ## Tables and named queries
    """)
    return


@app.cell
def _(con, pl, query, schemas):
    pl.DataFrame(
        [
            {"name": name, "rows": con.sql(f'select count(*) from "{name}"').fetchall()[0][0], "content": table.doc}
            for name, table in schemas.TABLES.items()
        ]
        + [
            {
                "name": q.name,
                "rows": con.sql(f'select count(*) from "{q.name}"').fetchall()[0][0],
                "content": q.description,
            }
            for q in query.NAMED_QUERIES.values()
            if q.order_by
        ]
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Ligands, best first
    """)
    return


@app.cell
def _(con):
    con.sql("""
        select
            network_states.name as network,
            ligand_ranking.rank,
            ligand_ranking.ligand,
            ligand_ranking.value_kcal_mol,
            ligand_ranking.uncertainty_kcal_mol,
            ligand_ranking.experiment_kcal_mol
        from ligand_ranking
        join network_states using (network)
        where ligand_ranking.value_kcal_mol is not null
        order by network, ligand_ranking.kind, ligand_ranking.component, ligand_ranking.rank
    """).pl()
    return


@app.cell
def _(mo):
    mo.md("""
    ## Edges with the largest residuals
    """)
    return


@app.cell
def _(con):
    con.sql("""
        select ligand_i, ligand_j, value_kcal_mol, uncertainty_kcal_mol, residual_kcal_mol
        from latest_edges
        where residual_kcal_mol is not null
        order by abs(residual_kcal_mol) desc, ligand_i, ligand_j
        limit 10
    """).pl()
    return


@app.cell
def _(mo):
    mo.md("""
    ## Failures by kind
    """)
    return


@app.cell
def _(con):
    con.sql("""
        select exception, unit, count(*) as n, count(distinct hostname) as n_hosts, max(ended_at) as last
        from failures
        group by all
        order by n desc, exception
    """).pl()
    return


@app.cell
def _(mo):
    statement = mo.ui.text_area(
        value="from throughput order by gpu_h desc limit 20", label="A statement of your own", full_width=True, rows=6
    )
    statement
    return (statement,)


@app.cell
def _(con, statement):
    con.sql(statement.value).pl()
    return


@app.cell
def _(con, mo):
    names = con.sql("select network from network_states where state <> 'deleted' order by name, network").fetchall()
    network = mo.ui.dropdown([name for (name,) in names], value=names[0][0] if names else None, label="Network")
    network
    return (network,)


@app.cell
def _(lake, mo, network, network_page):
    mo.stop(network.value is None, mo.md("*There are no networks yet.*"))
    network_page(lake, network.value, colour="estimate")
    return


if __name__ == "__main__":
    app.run()
