"""Messages about settings that are refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError


def refused(model: type[BaseModel], **keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(keys)
    return str(caught.value)
