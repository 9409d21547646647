"""Assertions of the contract explain themselves."""

import pytest

pytest.register_assert_rewrite(
    "tests.client.client_contract", "tests.client.record_contract", "tests.client.file_contract"
)
