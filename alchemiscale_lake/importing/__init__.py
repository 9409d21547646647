"""Import of what was computed or measured elsewhere: result files, tables of edges, experimental values."""
