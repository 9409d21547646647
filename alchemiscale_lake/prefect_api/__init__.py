"""The Prefect API: start, find and authenticate a server, and close it. Nothing here submits work.

Importing this package does not import Prefect: `local_api.local_api` must set the address of the API before Prefect
reads its settings.
"""
