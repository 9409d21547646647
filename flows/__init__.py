"""Flows wire the library to Prefect and Dask: one flow a file, named like its deployment.

Importing this package imports neither; `flows._api.local_api` must have set the way to the Prefect
API before Prefect reads its settings.

Docstrings of flows list their parameters under `Args:`, Google's form and the only one that Prefect
reads: these are the texts beside the fields of its run form.
"""
