"""What the emulator delivered, counted call by call."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Tally(msgspec.Struct):
    """Calls and tokens.

    A call and its input count from the moment it is taken, as a provider charges them; output
    tokens count as they leave. ``disconnected`` are calls whose caller left before the end,
    ``uncounted`` those whose tokens were not recorded: they add nothing to the sums of tokens.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    disconnected: int = 0
    uncounted: int = 0

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Delivered:
    """One tally a model. Used from one event loop, so that plain integers are exact."""

    def __init__(self, models: Iterable[str]) -> None:
        self.by_model = {model: Tally() for model in models}

    @property
    def total(self) -> Tally:
        """The sum over all models."""
        total = Tally()
        for tally in self.by_model.values():
            total.add(tally)
        return total

    def encode(self) -> bytes:
        """Return it as JSON: the total's fields, and ``by_model`` with the same for each."""
        body = msgspec.structs.asdict(self.total) | {"by_model": self.by_model}
        return msgspec.json.encode(body)
