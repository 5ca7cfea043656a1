"""The plan: everything that is decided before the first call."""

from __future__ import annotations

from typing import Literal

import msgspec

from cascade import money, tokens
from cascade.errors import RequestError, Unavailable
from cascade.policy.conditions import CALM, Conditions
from cascade.policy.model import Offer, Option, Plan
from cascade.policy.openness import Size, open_rungs
from cascade.policy.switching import stays
from cascade.types import Bar, Decide, Endpoint, Ladder, Level, Request, Rung

UNKNOWN_CEILING = 4_096
"""Output tokens assumed under a cap where neither caller nor configuration bounds them: small
enough that every current model takes it as a limit."""

BYTES_PER_TOKEN = 3
"""For estimates only, where nothing may take the time to count."""

UNCLEARABLE = Bar()


def make_plan(
    request: Request,
    ladder: Ladder,
    decide: Decide,
    *,
    level: Level,
    size: Size,
    stream: bool,
    now: float,
    seed: int,
    conditions: Conditions = CALM,
) -> Plan:
    """Decide which rungs are open to a request, in which order, under which limits.

    Args:
        request: what is asked; its own settings win over ``decide``.
        ladder: the ladder to climb; a pinned rung makes it a ladder of one.
        level: how demanding the request looks.
        size: how long its input is.
        stream: whether the answer is wanted as a stream.
        now: seconds, on the clock of the deadline.
        seed: of the jitter of retries.
        conditions: what is known of the endpoints and of the conversation.

    Raises:
        UnsupportedParameter: no rung takes a binding parameter of the request.
        TooLong: no rung's context window holds the prompt.
        RequestError: a cap is set and a rung's price, or what an image costs, is unknown.
        Unavailable: no endpoint may be called just now.
    """
    cap = decide.max_cost if request.max_cost is None else money.from_usd(request.max_cost)
    budget = decide.deadline if request.deadline is None else request.deadline
    delivery = _delivery(request, decide, stream)
    rungs, start = _rungs(request, ladder, level)
    able = open_rungs(request, rungs, size)
    if cap is not None:
        _demand_prices(request, able)
    strongest = max(able)
    if _demands_strongest(request, decide):
        start = strongest
    offers_risk = bool(reserved_tools(request, decide))
    options: dict[int, Option] = {}
    hopeless: set[int] = set()
    well = _well(rungs, able, size, conditions)
    for index, endpoints in well.items():
        ceiling = _ceiling(request, rungs[index], decide, cap, conditions.output_floor(endpoints))
        bar = None if index == strongest else bar_for(request, ladder, level, index)
        offers = _offers(request, endpoints, size, ceiling, cap)
        if offers:
            option = _option(rungs[index], endpoints, offers, ceiling, bar, conditions)
            if index == strongest:
                options[index] = _live(option, delivery)
            else:
                held = option if offers_risk else _live(option, delivery)
                options[index] = _in_time(held, budget / 2)
            if is_hopeless(bar, endpoints):
                hopeless.add(index)
    if not options:
        raise _no_image_bound(request, rungs)
    start = _warm_start(start, rungs, well, size, conditions)
    return Plan(
        options=tuple(options.values()),
        order=_order(list(options), start, hopeless),
        reference=len(options) - 1 if strongest in options else None,
        deadline=now + budget,
        cap=cap,
        delivery=delivery,
        at_the_end=decide.at_the_end,
        seed=seed,
    )


def reserved_tools(request: Request, decide: Decide) -> frozenset[str]:
    """The tools of this request that only the strongest rung may call."""
    if not decide.strong_for_tools:
        return frozenset()
    return decide.strong_for_tools.intersection(tool.name for tool in request.tools)


def _demands_strongest(request: Request, decide: Decide) -> bool:
    """Whether the request asks for nothing but a call that only the strongest rung may make."""
    choice = request.tool_choice
    return choice is not None and choice.name in decide.strong_for_tools


def _well(
    rungs: tuple[Rung, ...],
    able: dict[int, tuple[Endpoint, ...]],
    size: Size,
    conditions: Conditions,
) -> dict[int, tuple[Endpoint, ...]]:
    """Of the endpoints that can take the request those that may be called just now, in order."""
    tokens = size.bound // BYTES_PER_TOKEN
    arranged = {
        index: conditions.arranged(rungs[index], endpoints, tokens)
        for index, endpoints in able.items()
    }
    well = {index: endpoints for index, endpoints in arranged.items() if endpoints}
    if not well:
        every = tuple(dict.fromkeys(e for endpoints in able.values() for e in endpoints))
        wait = conditions.reopens_in(every)
        told = "; ".join(map(conditions.why_closed, every))
        raise Unavailable(
            f"nobody may be called just now: {told}.",
            retry_after=wait,
            pause=conditions.pause(every),
        )
    return well


def _warm_start(
    start: int,
    rungs: tuple[Rung, ...],
    well: dict[int, tuple[Endpoint, ...]],
    size: Size,
    conditions: Conditions,
) -> int:
    """The rung to start at, priced with what the conversation left warm above it."""
    warmth = conditions.warmth
    if warmth is None:
        return start
    last = next((i for i, rung in enumerate(rungs) if rung.name == warmth.rung), -1)
    begun = next((index for index in well if index >= start), None)
    if begun is None or last <= begun or last not in well:
        return start
    endpoint = well[last][0]
    if endpoint.name != warmth.endpoint or conditions.now >= warmth.until:
        return start
    tokens = size.bound // BYTES_PER_TOKEN
    answer = conditions.usual_output(well[last])
    return last if stays(well[begun][0], endpoint, warmth, tokens, answer) else start


def bar_for(request: Request, ladder: Ladder, level: Level, index: int) -> Bar | None:
    """The bar that this request sets for rung ``index``; None where it accepts unchecked."""
    match request.quality:
        case "cheapest":
            return None
        case "best":
            return None if index == len(ladder.rungs) - 1 else UNCLEARABLE
        case "auto":
            return ladder.bars[level][index]


def _rungs(request: Request, ladder: Ladder, level: Level) -> tuple[tuple[Rung, ...], int]:
    """The rungs in question, and the index of the one to start at."""
    if request.rung is not None:
        return tuple(rung for rung in ladder.rungs if rung.name == request.rung), 0
    match request.quality:
        case "cheapest":
            return ladder.rungs, 0
        case "best":
            return ladder.rungs, len(ladder.rungs) - 1
        case "auto":
            return ladder.rungs, ladder.starts[level]


def _offers(
    request: Request,
    endpoints: tuple[Endpoint, ...],
    size: Size,
    ceiling: _Ceiling,
    cap: int | None,
) -> tuple[Offer, ...]:
    """The endpoints as offers. Under a cap one whose worst case is unknown is none."""
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


def _ceiling(
    request: Request, rung: Rung, decide: Decide, cap: int | None, learned: int | None
) -> _Ceiling:
    limit, own = request.max_tokens, False
    if cap is not None and limit is None:
        model_limit = min((e.max_output for e in rung.endpoints if e.max_output), default=None)
        limit, own = model_limit or UNKNOWN_CEILING, model_limit is None
    least = decide.min_output if learned is None else learned
    floor = least if limit is None else min(least, limit)
    return _Ceiling(limit, own, max(1, floor))


def _option(
    rung: Rung,
    endpoints: tuple[Endpoint, ...],
    offers: tuple[Offer, ...],
    ceiling: _Ceiling,
    bar: Bar | None,
    conditions: Conditions,
) -> Option:
    windows = [endpoint.context for endpoint in endpoints]
    return Option(
        rung=rung.name,
        offers=offers,
        clocks=conditions.clocks(rung, endpoints),
        ceiling=ceiling.tokens,
        own_ceiling=ceiling.own,
        floor=ceiling.floor,
        bar=bar,
        calls=rung.calls,
        hedge_after=conditions.hedge(rung, endpoints),
        window=None if None in windows else max(filter(None, windows)),
    )


def _live(option: Option, delivery: str) -> Option:
    """Under ``verified`` only what is accepted whatever it shows may leave as it arrives."""
    live = delivery == "live" or (delivery == "verified" and option.bar is None)
    return msgspec.structs.replace(option, live=True) if live else option


def _in_time(option: Option, seconds: float) -> Option:
    """One call below the strongest rung takes half of the time at most: a rung that hangs leaves
    as much to the next. A live stream runs on its own clocks once it has begun."""
    total = option.clocks.total
    if option.live or (total is not None and total <= seconds):
        return option
    clocks = msgspec.structs.replace(option.clocks, total=seconds)
    return msgspec.structs.replace(option, clocks=clocks)


def _order(indexes: list[int], start: int, hopeless: set[int]) -> tuple[int, ...]:
    """From the start up. What lies below it comes last, the strongest first, for when all else
    fails; so does a rung whose answer could not be accepted."""
    up = [at for at, index in enumerate(indexes) if index >= start and index not in hopeless]
    rest = [at for at in range(len(indexes)) if at not in up]
    return (*up, *reversed(rest))


def is_hopeless(bar: Bar | None, endpoints: tuple[Endpoint, ...]) -> bool:
    """Whether the bar reads log-probabilities that, as is known, no endpoint gives: a call would
    be paid only to climb. A model that is silent without being known to is tried."""
    if bar is None or bar.when_unsure == "accept" or not bar.reads_logprobs:
        return False
    return all("logprobs" in endpoint.lacks for endpoint in endpoints)


def _delivery(
    request: Request, decide: Decide, stream: bool
) -> Literal["whole", "verified", "live"]:
    return (request.delivery or decide.delivery) if stream else "whole"


def _demand_prices(request: Request, open_rungs: dict[int, tuple[Endpoint, ...]]) -> None:
    """A cap over a rung whose price is unknown is no cap; leaving the rung out in silence would
    change who may answer."""
    for endpoints in open_rungs.values():
        if all(endpoint.price is None for endpoint in endpoints):
            models = " and ".join(endpoint.name for endpoint in endpoints)
            raise RequestError(
                "max_cost",
                request.max_cost,
                f"the price of {models} is unknown",
                f'Set price (or "free") under [models."{endpoints[0].name}"], or set no cap.',
            )


def _no_image_bound(request: Request, rungs: tuple[Rung, ...]) -> RequestError:
    models = ", ".join(endpoint.name for rung in rungs for endpoint in rung.endpoints)
    return RequestError(
        "max_cost",
        request.max_cost,
        f"nobody knows what an image costs at {models}",
        'Set image_tokens under [models."…"] or leave the cap out.',
    )
