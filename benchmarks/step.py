"""``policy.step`` on the events of ordinary requests, and a whole climb over three rungs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from benchmarks.bare import post
from benchmarks.figures import Figure
from benchmarks.load import PATH, body
from benchmarks.profiling import profiled
from benchmarks.prompts import SYSTEM, turn
from benchmarks.rounds import Sample, arun_turns, awaited, median, sample, turns
from benchmarks.running import run
from benchmarks.setting import Setting, mock, write_config
from cascade import AsyncCascade
from cascade.config.read import load
from cascade.policy import Candidate, Plan, State, Threshold
from cascade.policy.machine import initial, step
from cascade.policy.model import Answered, Begun, Event, Failed, Streamed
from cascade.policy.openness import Size
from cascade.policy.plan import make_plan
from cascade.providers.transport import default_transport
from cascade.types import Evidence, Kind, Message, Request

BUDGET = 10.0  # us
CLIMB_ADDED = 1000.0  # us
RULE = Threshold()

Case = tuple[str, State, Event]


def measure(setting: Setting) -> list[Figure]:
    """Measure and return the figures."""
    with mock() as provider:
        config = write_config(setting, provider.url)
        plan = _plan(config)
        steps = _steps(setting, plan)
        climb = run(_climb(setting, config, provider.url))
    nothing = steps.pop("nothing")
    of = "a call that does nothing"
    figures = [
        Figure(f"step, {name}", taken * 1e6, "us", nothing * 1e6, of, BUDGET)
        for name, taken in steps.items()
    ]
    ours, three = climb["climb"].p50 * 1e6, 3 * climb["bare"].p50 * 1e6
    of = "three calls over our transport"
    path = "three rungs, library, p50 at 1"
    return [*figures, Figure(path, ours, "us", three, of, CLIMB_ADDED, added=True)]


def _plan(config: Path) -> Plan:
    """The plan of a request that climbs over three rungs."""
    tables = load(config, {})
    request = Request(messages=(Message("user", turn(0)),))
    ladder = tables.ladders["climb"]
    size = Size(100, lambda: 100)
    return make_plan(
        request, ladder, tables.decide, level="simple", size=size, stream=False, now=0.0, seed=1
    )


def _cases(plan: Plan) -> list[Case]:
    """The typical events, each with the state it finds."""
    good, poor = Evidence(mean_logprob=-0.01), Evidence(mean_logprob=-3.0)
    began = initial(plan)
    flying, _ = step(plan, RULE, began, Begun(), 0.0)
    accepted = Answered(0, Candidate(0, 0, evidence=good), 10)
    short = Answered(0, Candidate(0, 0, evidence=poor), 10)
    higher, _ = step(plan, RULE, flying, short, 0.1)
    again = Answered(1, Candidate(1, 1, evidence=poor), 10)
    highest, _ = step(plan, RULE, higher, again, 0.2)
    return [
        ("begun", began, Begun()),
        ("answer accepted", flying, accepted),
        ("answer short, climb", flying, short),
        ("second answer short, climb", higher, again),
        ("reference answered", highest, Answered(2, Candidate(2, 2, evidence=poor), 10)),
        ("call failed, retry", flying, Failed(0, Kind.OVERLOADED)),
        ("first token", flying, Streamed(0)),
    ]


def _steps(setting: Setting, plan: Plan) -> dict[str, float]:
    """Median seconds of a step by case; ``nothing`` is a call that takes the same arguments."""
    cases = {name: (state, event) for name, state, event in _cases(plan)}
    count = setting.count(20_000)
    state, event = cases["begun"]
    taken: dict[str, list[Sample]] = {name: [] for name in (*cases, "nothing")}
    for name in turns(setting.rounds, list(taken)):
        if name == "nothing":
            taken[name].append(_loop(_nothing, plan, state, event, count))
        else:
            taken[name].append(_loop(step, plan, *cases[name], count))
    if setting.profile:
        with profiled("step, answer short, climb"):
            _loop(step, plan, *cases["answer short, climb"], count)
    return {name: median(samples).p50 for name, samples in taken.items()}


def _loop(
    function: Callable[[Plan, Threshold, State, Event, float], object],
    plan: Plan,
    state: State,
    event: Event,
    count: int,
) -> Sample:
    """A bare loop: timing every call would cost as much as the calls. It takes the CPU's time,
    since the loop is long enough to be interrupted by others."""
    began = time.process_time()
    for _ in range(count):
        function(plan, RULE, state, event, 0.5)
    seconds = time.process_time() - began
    return sample([seconds / count], seconds)


def _nothing(plan: Plan, rule: Threshold, state: State, event: Event, now: float) -> State:
    return state


async def _climb(setting: Setting, config: Path, url: str) -> dict[str, Sample]:
    """Three rungs that answer at once, two of them below their bars."""
    transport, count = default_transport(), setting.count(500)
    target, content = httpx.URL(f"{url}/low{PATH}"), body().encode()
    async with AsyncCascade.from_config(config, data_dir=setting.folder / "climb") as ai:

        async def climb(number: int) -> None:
            answer = await ai.complete(turn(number), system=SYSTEM, ladder="climb", cache="off")
            assert len(answer.attempts) == 3, "two rungs fall short"

        async def bare(number: int) -> None:
            response = await transport.handle_async_request(post(target, content))
            assert isinstance(response.stream, httpx.AsyncByteStream), "transports are asynchronous"
            async for _ in response.stream:
                pass

        paths: dict[str, Callable[[], Awaitable[Sample]]] = {
            "climb": lambda: awaited(climb, count),
            "bare": lambda: awaited(bare, count),
        }
        samples = await arun_turns(setting.rounds, paths)
    await transport.aclose()
    return samples
