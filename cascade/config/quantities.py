"""Sizes and durations as people write them: ``"1 GB"``, ``"7 d"``, or a plain number."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_QUANTITY = re.compile(r"\s*(\d[\d_]*(?:\.\d+)?)\s*([A-Za-z]+)\s*")
_BYTES = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}


def size(value: object) -> int:
    """Turn ``"1 GB"`` or a number of bytes into bytes.

    Raises:
        ValueError: it is neither; the message says how to write one.
    """
    wanted = 'a size is a number of bytes or a text such as "500 MB" or "1 GB"'
    if isinstance(value, int) and not isinstance(value, bool):
        number, scale = Decimal(value), 1
    else:
        number, unit = _split(value, wanted)
        if unit not in _BYTES:
            raise ValueError(wanted)
        scale = _BYTES[unit]
    bytes_ = number * scale
    if bytes_ < 1 or bytes_ != bytes_.to_integral_value():
        raise ValueError("a size is a whole number of bytes, 1 or more")
    return int(bytes_)


def duration(value: object) -> float:
    """Turn ``"7 d"`` or a number of seconds into seconds.

    Raises:
        ValueError: it is neither; the message says how to write one.
    """
    wanted = 'a duration is a number of seconds or a text such as "90 s", "12 h" or "7 d"'
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        number, unit = _split(value, wanted)
        if unit not in _SECONDS:
            raise ValueError(wanted)
        seconds = float(number * _SECONDS[unit])
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError("a duration is finite and longer than 0 seconds")
    return seconds


def _split(value: object, wanted: str) -> tuple[Decimal, str]:
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(wanted)
    return Decimal(found[1].replace("_", "")), found[2].lower()
