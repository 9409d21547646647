"""alchemiscale-lake: alchemical free energy campaigns as a dataflow over a lakehouse."""
