"""Sizes and durations as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cascade.config.quantities import duration, size


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [
        (5, 5),
        ("1 GB", 10**9),
        ("1gb", 10**9),
        ("1.5 MB", 1_500_000),
        ("2 KiB", 2048),
        ("10_000 B", 10_000),
    ],
)
def test_a_size_is_read(written: object, bytes_: int) -> None:
    assert size(written) == bytes_


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(2, 2.0), (0.5, 0.5), ("7 d", 604_800.0), ("90s", 90.0), ("250 ms", 0.25), ("1.5 h", 5400.0)],
)
def test_a_duration_is_read(written: object, seconds: float) -> None:
    assert duration(written) == seconds


@pytest.mark.parametrize("read", [size, duration])
@pytest.mark.parametrize("written", ["", "7", "x", "-1 s", "1 parsec", "GB", 0, -3, True, None, []])
def test_anything_else_is_refused(read: Callable[[object], object], written: object) -> None:
    with pytest.raises(ValueError, match=r"size|duration"):
        read(written)


def test_a_duration_is_finite_and_a_size_whole() -> None:
    for endless in (float("inf"), float("nan")):
        with pytest.raises(ValueError, match="finite"):
            duration(endless)
    with pytest.raises(ValueError, match="whole number"):
        size("0.0001 kB")
