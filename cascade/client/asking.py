"""What people type, made into a ``Request``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from cascade.checks.admission import check_limits
from cascade.errors import RequestError
from cascade.types import CacheUse, Delivery, Message, Quality, Request

if TYPE_CHECKING:
    from pydantic import BaseModel

Prompt = str | Request | Sequence[Message | Mapping[str, Any]]


class Options(TypedDict, total=False):
    """What ``complete`` and ``stream`` take beside the prompt.

    ``max_cost`` is in US dollars and a hard cap over everything done for the request;
    ``deadline`` and ``max_age`` are seconds. ``tools``, ``tool_choice`` and ``response_format``
    are written as in OpenAI's chat completions; ``response_format`` may be a pydantic model.
    ``reasoning_budget`` is in tokens. ``session`` names the conversation that this goes on with.
    """

    system: str
    ladder: str
    rung: str
    quality: Quality
    max_cost: float
    deadline: float
    cache: CacheUse
    max_age: float
    delivery: Delivery
    tags: Sequence[str]
    session: str
    tools: Sequence[Mapping[str, Any]]
    tool_choice: str | Mapping[str, Any]
    parallel_tool_calls: bool
    response_format: Mapping[str, Any] | type[BaseModel]
    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    seed: int
    stop: str | Sequence[str]
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[str, float]
    logprobs: bool
    top_logprobs: int
    reasoning_effort: str
    reasoning_budget: int
    user: str


_HERE = frozenset(
    (
        *("ladder", "rung", "quality", "max_cost", "deadline", "cache", "max_age", "delivery"),
        *("tags", "session", "reasoning_budget"),
    )
)
"""What no chat completion carries."""

_SYSTEM = frozenset(("system",))
"""What a text may come with and still need no check: the way most requests take."""

_CHOICES: dict[str, tuple[str, ...]] = {
    "quality": ("auto", "best", "cheapest"),
    "cache": ("use", "refresh", "off", "only"),
    "delivery": ("verified", "live"),
}
_LARGEST = 2**63
"""Whole numbers from here on fit no wire and no disk."""

_PLACE = re.compile(r"(?P<problem>.*) - at `\$\.?(?P<place>.*)`", re.DOTALL)


def to_request(prompt: Prompt, options: Options) -> Request:
    """Build the request, checked. An option that is None is as good as absent.

    Raises:
        RequestError: naming the argument, its value and the mend.
    """
    if isinstance(prompt, str) and options.keys() <= _SYSTEM:
        plain = _plain(prompt, options.get("system"))
        if plain is not None:
            return plain
    _refuse_unknown(options)
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    decisions = {name: given.pop(name) for name in _HERE & given.keys()}
    if not isinstance(prompt, Request):
        request = _from_parts(prompt, given)
    elif given:
        raise RequestError(
            ", ".join(sorted(given)),
            None,
            "a Request already says what is asked and how to sample",
            "Put these into the Request (msgspec.structs.replace).",
        )
    else:
        request = prompt
    request = _checked(_decided(request, decisions) if decisions else request)
    check_limits(request)
    return request


def _plain(prompt: str, system: object) -> Request | None:
    """A text and what goes before it, which need no codec; None where ``system`` is no text."""
    if system is None:
        return Request(messages=(Message("user", prompt),))
    if isinstance(system, str):
        return Request(messages=(Message("system", system), Message("user", prompt)))
    return None


def _refuse_unknown(options: Options) -> None:
    for name, value in options.items():
        if name not in Options.__annotations__:
            from difflib import get_close_matches

            close = get_close_matches(name, Options.__annotations__, 1)
            mend = f"Did you mean {close[0]}?" if close else "See the documentation of Options."
            raise RequestError(name, value, "there is no such option", mend)


def _from_parts(prompt: Any, given: dict[str, Any]) -> Request:
    """Read the parts by the codec that reads them over HTTP: one place for all checks."""
    from cascade.wire.openai_chat import decode_request

    system = given.pop("system", None)
    if isinstance(prompt, str) and not given and (plain := _plain(prompt, system)) is not None:
        return plain
    turns: list[Any] = [] if system is None else [{"role": "system", "content": system}]
    if isinstance(prompt, str):
        turns.append({"role": "user", "content": prompt})
    elif isinstance(prompt, Sequence) and not isinstance(prompt, bytes | bytearray | memoryview):
        turns.extend(prompt)
    else:
        problem = f"a {type(prompt).__name__} is no text and no list of messages"
        raise RequestError("prompt", prompt, problem, "Give a text, a list or a Request.")
    own = {at: turn for at, turn in enumerate(turns) if isinstance(turn, Message)}
    for at in own:
        turns[at] = {"role": "user", "content": "…"}  # in its place until the others are read
    body = {"model": "auto", "messages": turns, **given}
    if "response_format" in body:
        body["response_format"] = _format(body["response_format"])
    request = decode_request(_encoded(body)).request
    if not own:
        return request
    messages = tuple(own.get(at, message) for at, message in enumerate(request.messages))
    return msgspec.structs.replace(request, messages=messages)


def _encoded(body: dict[str, Any]) -> bytes:
    for name, value in body.items():
        if isinstance(value, float) and not math.isfinite(value):  # JSON would make it null
            raise RequestError(name, value, "not a number that can be sent", "Give another.")
    try:
        return msgspec.json.encode(body)
    except _NO_JSON:
        pass
    for name, value in body.items():
        try:
            msgspec.json.encode(value)
        except _NO_JSON as error:
            why = f"it cannot be written as JSON: {error}"
            mend = "Use plain dicts or Message." if name == "messages" else "Use plain values."
            raise RequestError(name, None, why, mend) from None
    raise AssertionError("what cannot be written has a part that cannot")


_NO_JSON = (TypeError, ValueError, OverflowError, RecursionError)
"""What the encoder raises: a strange type, half a surrogate pair, too large a number, a circle."""


def _format(wanted: Any) -> Any:
    """A pydantic model stands for its JSON schema."""
    schema = getattr(wanted, "model_json_schema", None)
    if schema is None:
        return wanted
    named = {"name": wanted.__name__, "schema": schema()}
    return {"type": "json_schema", "json_schema": named}


def _checked(request: Request) -> Request:
    """Struct constructors validate nothing: what was built is checked field by field."""
    try:
        checked = msgspec.convert(msgspec.to_builtins(request), Request)
    except (msgspec.ValidationError, TypeError) as error:
        said = _PLACE.fullmatch(str(error))
        place, problem = (said["place"], said["problem"]) if said else ("request", str(error))
        raise RequestError(place, None, problem, "Mend what it names.") from None
    for name in ("seed", "max_tokens", "top_logprobs", "top_k", "reasoning_budget"):
        value = getattr(checked, name)
        if value is not None and not -_LARGEST <= value < _LARGEST:
            raise RequestError(name, value, "it does not fit 64 bits", "Give a smaller number.")
    return checked


def _decided(request: Request, decisions: dict[str, Any]) -> Request:
    for name, choices in _CHOICES.items():
        value = decisions.get(name)
        if value is not None and value not in choices:
            raise RequestError(name, value, _not_a_choice(name, value), f"Choose {_or(choices)}.")
    for name in ("max_cost", "deadline", "max_age"):
        value = decisions.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise RequestError(name, value, "not a number", f"Give {name} as a number.")
    if "tags" in decisions:
        decisions["tags"] = _tags(decisions["tags"])
    return msgspec.structs.replace(request, **decisions)


def _tags(tags: Any) -> tuple[str, ...]:
    if isinstance(tags, str | bytes) or not isinstance(tags, Iterable):
        raise RequestError("tags", tags, "not a list of texts", 'Give a list: tags=["news"].')
    return tuple(tags)


def _not_a_choice(name: str, value: object) -> str:
    if name == "quality" and isinstance(value, int | float):
        return "a number needs a calibration, and there is none"
    return "there is no such choice"


def _or(choices: tuple[str, ...]) -> str:
    return ", ".join(f'"{choice}"' for choice in choices[:-1]) + f' or "{choices[-1]}"'
