"""The plan: everything that is decided before the first call."""

from __future__ import annotations

from collections.abc import Collection

from cascade import money
from cascade.errors import RequestError, Unavailable
from cascade.policy.conditions import CALM, Conditions
from cascade.policy.model import Option, Plan
from cascade.policy.openness import Able, Size, demands_last, open_rungs, reserved_tools
from cascade.policy.options import Terms, is_hopeless, option_of
from cascade.policy.switching import stays
from cascade.types import Decide, Ladder, Level, Request, Rung

BYTES_PER_TOKEN = 3
"""For estimates only, where nothing may take the time to count."""


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
        RequestError: a cap is set and a rung's price, or what an image costs, is unknown; or a
            tool is demanded that only the ladder's last rung may call, and that is not open.
        Unavailable: no endpoint may be called just now.
    """
    rungs, start = _rungs(request, ladder, level)
    able = open_rungs(request, rungs, size)
    if demands_last(request, decide):
        able = _last_only(request, ladder, rungs, able)
    cap = decide.max_cost if request.max_cost is None else money.from_usd(request.max_cost)
    if cap is not None:
        _demand_prices(request, able)
    terms = Terms(
        request=request,
        ladder=ladder,
        decide=decide,
        level=level,
        size=size,
        cap=cap,
        budget=decide.deadline if request.deadline is None else request.deadline,
        delivery=(request.delivery or decide.delivery) if stream else "whole",
        conditions=conditions,
        top=max(able),
        held=bool(reserved_tools(request, decide)),
    )
    well = _well(rungs, able, size, conditions)
    made = {index: option_of(terms, index, rungs[index], well[index]) for index in well}
    options = {index: option for index, option in made.items() if option.offers}
    if not options:
        raise _no_image_bound(request, rungs)
    hopeless = {index for index, option in options.items() if is_hopeless(option.bar, well[index])}
    start = _warm_start(start, rungs, well, options.keys() - hopeless, size, conditions)
    return Plan(
        options=tuple(options.values()),
        order=_order(options, start, hopeless),
        reference=len(options) - 1 if terms.top in options else None,
        deadline=now + terms.budget,
        cap=cap,
        delivery=terms.delivery,
        at_the_end=decide.at_the_end,
        seed=seed,
    )


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


def _last_only(request: Request, ladder: Ladder, rungs: tuple[Rung, ...], able: Able) -> Able:
    """Of the rungs that are open the ladder's last: nobody else may do what is demanded."""
    last = {index: e for index, e in able.items() if rungs[index].name == ladder.rungs[-1].name}
    if not last:
        raise RequestError(
            "tool_choice",
            None if request.tool_choice is None else request.tool_choice.name,
            f"only {ladder.rungs[-1].name} may call it, and it is not open to this request",
            "Do not force the tool, or pin no other rung; or see [decide] strong_for_tools.",
        )
    return last


def _well(rungs: tuple[Rung, ...], able: Able, size: Size, conditions: Conditions) -> Able:
    """Of the endpoints that can take the request those that may be called just now, in order."""
    tokens = size.bound // BYTES_PER_TOKEN
    arranged = {
        index: conditions.arranged(rungs[index], endpoints, tokens)
        for index, endpoints in able.items()
    }
    well = {index: endpoints for index, endpoints in arranged.items() if endpoints}
    if not well:
        every = tuple(dict.fromkeys(e for endpoints in able.values() for e in endpoints))
        told = "; ".join(map(conditions.why_closed, every))
        raise Unavailable(
            f"nobody may be called just now: {told}.",
            retry_after=conditions.reopens_in(every),
            pause=conditions.pause(every),
        )
    return well


def _warm_start(
    start: int,
    rungs: tuple[Rung, ...],
    well: Able,
    callable_: Collection[int],
    size: Size,
    conditions: Conditions,
) -> int:
    """The rung to start at, priced with what the conversation left warm above it."""
    warmth = conditions.warmth
    if warmth is None:
        return start
    last = next((i for i, rung in enumerate(rungs) if rung.name == warmth.rung), -1)
    begun = next((index for index in well if index in callable_ and index >= start), None)
    if begun is None or last <= begun or last not in callable_:
        return start
    endpoint = well[last][0]
    if endpoint.name != warmth.endpoint or conditions.now >= warmth.until:
        return start
    tokens = size.bound // BYTES_PER_TOKEN
    answer = conditions.usual_output(well[last])
    return last if stays(well[begun][0], endpoint, warmth, tokens, answer) else start


def _order(options: dict[int, Option], start: int, hopeless: set[int]) -> tuple[int, ...]:
    """From the start up. What lies below it comes last, the strongest first, for when all else
    fails; so does a rung whose answer could not be accepted."""
    up = [at for at, index in enumerate(options) if index >= start and index not in hopeless]
    rest = [at for at in range(len(options)) if at not in up]
    return (*up, *reversed(rest))


def _demand_prices(request: Request, able: Able) -> None:
    """A cap over a rung whose price is unknown is no cap; leaving the rung out in silence would
    change who may answer."""
    for endpoints in able.values():
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
