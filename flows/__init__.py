"""Flows that connect the library to Prefect and Dask: one flow per file, named like its deployment.

Importing this package imports neither: `prefect_api.local_api.local_api` must set the address of the Prefect API before
Prefect reads its settings.

Docstrings of flows list their parameters under `Args:` (Google style), the only style that Prefect
parses: it shows these texts beside the fields of its run form.
"""
