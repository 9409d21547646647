from tests.prefect_session import api, cache, network_file

__all__ = ["api", "cache", "network_file"]
