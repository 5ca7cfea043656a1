"""Numbers as JSON has them."""

from __future__ import annotations

import math

from cascade.errors import RequestError

__all__ = ["finite"]


def finite(name: str, value: float) -> float:
    """Return a parameter's value as it is written: whole numbers without a point, as integers are
    expected in many places.

    Raises:
        RequestError: it is NaN or infinite.
    """
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        raise RequestError(name, value, "it is not finite", "Send a finite number or leave it out")
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
