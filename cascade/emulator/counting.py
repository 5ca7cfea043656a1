"""What the emulator delivered, counted call by call."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cascade.types import Usage


class Tally(msgspec.Struct):
    """Calls and tokens.

    A call counts from the moment it is taken. Its input counts once the provider works on it, and
    not at all where it fails before that; output tokens count as they leave. ``disconnected`` are
    calls whose caller left before the end, ``uncounted`` those whose tokens were not recorded:
    they add nothing to the sums of tokens.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    disconnected: int = 0
    uncounted: int = 0

    def charge(self, usage: Usage | None) -> None:
        """Count a call's input."""
        if usage is None:
            self.uncounted += 1
            return
        self.input_tokens += usage.input_tokens
        self.cached_tokens += usage.cached_tokens
        self.cache_write_tokens += usage.cache_write_tokens

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Delivered:
    """One tally a model, and how often each fault happened.

    Used from one event loop, so that plain integers are exact.
    """

    def __init__(self, models: Iterable[str], faults: Iterable[str] = ()) -> None:
        self.by_model = {model: Tally() for model in models}
        self.faults = dict.fromkeys(faults, 0)

    @property
    def total(self) -> Tally:
        """The sum over all models."""
        total = Tally()
        for tally in self.by_model.values():
            total.add(tally)
        return total

    def encode(self) -> bytes:
        """Return it as JSON: the total's fields, ``by_model`` with the same for each, and
        ``faults``."""
        more = {"by_model": self.by_model, "faults": self.faults}
        return msgspec.json.encode(msgspec.structs.asdict(self.total) | more)
