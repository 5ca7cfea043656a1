"""From a rung that is open to a request to an option of its plan: prices, limits, clocks, bar."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import replace

from cascade import tokens
from cascade.policy.conditions import Conditions
from cascade.policy.model import Offer, Option
from cascade.policy.openness import Size
from cascade.types import Bar, Decide, Endpoint, Ladder, Level, Request, Rung

UNKNOWN_CEILING = 4_096
"""Output tokens assumed under a cap where neither caller nor configuration bounds them: small
enough that every current model takes it as a limit."""

UNCLEARABLE = Bar()


class Terms(msgspec.Struct, frozen=True):
    """What is the same for all options of one request.

    ``cap`` is in money units, ``budget`` the seconds until the deadline. ``top`` is the index of
    the strongest rung that is open, ``held`` says that below the ladder's last rung nothing may
    leave as it arrives.
    """

    request: Request
    ladder: Ladder
    decide: Decide
    level: Level
    size: Size
    cap: int | None
    budget: float
    delivery: Literal["whole", "verified", "live"]
    conditions: Conditions
    top: int
    held: bool


def option_of(terms: Terms, index: int, rung: Rung, endpoints: tuple[Endpoint, ...]) -> Option:
    """The option that a rung makes with these endpoints; one without offers is none."""
    request, conditions = terms.request, terms.conditions
    is_top = index == terms.top
    ceiling = _ceiling(terms, rung, conditions.output_floor(endpoints))
    windows = [endpoint.context for endpoint in endpoints]
    option = Option(
        rung=rung.name,
        offers=_offers(terms, endpoints, ceiling),
        clocks=conditions.clocks(rung, endpoints),
        ceiling=ceiling.tokens,
        own_ceiling=ceiling.own,
        floor=ceiling.floor,
        bar=None if is_top else bar_for(request, terms.ladder, terms.level, index),
        calls=rung.calls,
        hedge_after=conditions.hedge(rung, endpoints),
        window=None if None in windows else max(filter(None, windows), default=None),
    )
    if not (terms.held and rung.name != terms.ladder.rungs[-1].name):
        option = _live(option, terms.delivery)
    return option if is_top else _in_time(option, terms.budget / 2)


def bar_for(request: Request, ladder: Ladder, level: Level, index: int) -> Bar | None:
    """The bar that this request sets for rung ``index``; None where it accepts unchecked."""
    match request.quality:
        case "cheapest":
            return None
        case "best":
            return None if index == len(ladder.rungs) - 1 else UNCLEARABLE
        case "auto":
            return ladder.bars[level][index]


def is_hopeless(bar: Bar | None, endpoints: tuple[Endpoint, ...]) -> bool:
    """Whether the bar reads log-probabilities that, as is known, no endpoint gives: a call would
    be paid only to climb. A model that is silent without being known to is tried."""
    if bar is None or bar.when_unsure == "accept" or not bar.reads_logprobs:
        return False
    return all("logprobs" in endpoint.lacks for endpoint in endpoints)


def _offers(terms: Terms, endpoints: tuple[Endpoint, ...], ceiling: _Ceiling) -> tuple[Offer, ...]:
    """The endpoints as offers. Under a cap one whose worst case is unknown is none."""
    cap, size, request = terms.cap, terms.size, terms.request
    if cap is None:
        return tuple(Offer(endpoint.name) for endpoint in endpoints)
    offers = []
    for endpoint in endpoints:
        price = endpoint.price
        if price is None or (request.images and endpoint.image_tokens is None):
            continue
        images = request.images * (endpoint.image_tokens or 0)
        hold = (size.bound + images) * price.dearest_input
        if hold + ceiling.floor * price.output > cap:
            hold = min(hold, (tokens.padded(size.count()) + images) * price.dearest_input)
        offers.append(Offer(endpoint.name, hold, price.output))
    return tuple(offers)


class _Ceiling(msgspec.Struct, frozen=True):
    """The output limits of an option, in tokens; see ``Option``."""

    tokens: int | None
    own: bool
    floor: int


def _ceiling(terms: Terms, rung: Rung, learned: int | None) -> _Ceiling:
    limit, own = terms.request.max_tokens, False
    if terms.cap is not None and limit is None:
        model_limit = min((e.max_output for e in rung.endpoints if e.max_output), default=None)
        limit, own = model_limit or UNKNOWN_CEILING, model_limit is None
    least = terms.decide.min_output if learned is None else learned
    floor = least if limit is None else min(least, limit)
    return _Ceiling(limit, own, max(1, floor))


def _live(option: Option, delivery: str) -> Option:
    """Under ``verified`` only what is accepted whatever it shows may leave as it arrives."""
    live = delivery == "live" or (delivery == "verified" and option.bar is None)
    return replace(option, live=True) if live else option


def _in_time(option: Option, seconds: float) -> Option:
    """One call below the strongest rung takes half of the time at most: a rung that hangs leaves
    as much to the next. A live stream runs on its own clocks once it has begun."""
    total = option.clocks.total
    if option.live or (total is not None and total <= seconds):
        return option
    return replace(option, clocks=replace(option.clocks, total=seconds))
