"""What people type, made into a ``Request``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from cascade import money
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
    tools: Sequence[Mapping[str, Any]]
    tool_choice: str | Mapping[str, Any]
    parallel_tool_calls: bool
    response_format: Mapping[str, Any] | type[BaseModel]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: str | Sequence[str]
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[str, float]
    logprobs: bool
    top_logprobs: int
    reasoning_effort: str
    user: str


_HERE = frozenset(
    ("ladder", "rung", "quality", "max_cost", "deadline", "cache", "max_age", "delivery", "tags")
)
_SYSTEM = frozenset(("system",))
"""What a text may come with and still need no codec: the way most requests take."""

_CHOICES: dict[str, tuple[str, ...]] = {
    "quality": ("auto", "best", "cheapest"),
    "cache": ("use", "refresh", "off", "only"),
    "delivery": ("verified", "live"),
}


def to_request(prompt: Prompt, options: Options) -> Request:
    """Build the request, checked.

    Raises:
        RequestError: naming the argument, its value and the mend.
    """
    if isinstance(prompt, str) and options.keys() <= _SYSTEM:
        system = options.get("system")
        if system is None:
            return Request(messages=(Message("user", prompt),))
        if isinstance(system, str):
            return Request(messages=(Message("system", system), Message("user", prompt)))
    given: dict[str, Any] = dict(options)
    _refuse_unknown(given)
    decisions = {name: given.pop(name) for name in _HERE & given.keys()}
    if isinstance(prompt, Request):
        request = _checked(prompt)
        if given:
            raise RequestError(
                ", ".join(sorted(given)),
                None,
                "a Request already says what is asked and how to sample",
                "Put these into the Request (msgspec.structs.replace).",
            )
    else:
        request = _from_parts(prompt, given)
    return _decided(request, decisions) if decisions else request


def _refuse_unknown(given: dict[str, Any]) -> None:
    for name in given:
        if name not in Options.__annotations__:
            from difflib import get_close_matches

            close = get_close_matches(name, Options.__annotations__, 1)
            mend = f"Did you mean {close[0]}?" if close else "See the documentation of Options."
            raise RequestError(name, given[name], "there is no such option", mend)


def _from_parts(
    prompt: str | Sequence[Message | Mapping[str, Any]], given: dict[str, Any]
) -> Request:
    """Read the parts by the codec that reads them over HTTP: one place for all checks."""
    from cascade.wire.openai_chat import decode_request

    system = given.pop("system", None)
    messages: list[Any] = [] if system is None else [{"role": "system", "content": system}]
    own: list[Message] | None = None
    if isinstance(prompt, str):
        messages.append({"role": "user", "content": prompt})
    elif all(isinstance(message, Message) for message in prompt):
        own = [message for message in prompt if isinstance(message, Message)]
        messages.append({"role": "user", "content": "…"})
    else:
        messages.extend(prompt)
    body = {"model": "auto", "messages": messages, **given}
    if "response_format" in body:
        body["response_format"] = _format(body["response_format"])
    try:
        encoded = msgspec.json.encode(body)
    except TypeError as error:
        raise RequestError(
            "messages",
            None,
            f"it cannot be written as JSON: {error}",
            "Use plain dicts or Message.",
        ) from None
    request = decode_request(encoded).request
    if own is None:
        return request
    return msgspec.structs.replace(request, messages=(*request.messages[:-1], *own))


def _format(wanted: Any) -> Any:
    """A pydantic model stands for its JSON schema."""
    schema = getattr(wanted, "model_json_schema", None)
    if schema is None:
        return wanted
    named = {"name": wanted.__name__, "schema": schema()}
    return {"type": "json_schema", "json_schema": named}


def _checked(request: Request) -> Request:
    """Struct constructors validate nothing: a user's request is checked field by field."""
    try:
        return msgspec.convert(msgspec.to_builtins(request), Request)
    except (msgspec.ValidationError, TypeError) as error:
        raise RequestError("request", None, str(error), "Mend the field it names.") from None


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
        decisions["tags"] = tuple(decisions["tags"])
    if (cap := decisions.get("max_cost")) is not None and 0 <= cap < money.to_usd(1):
        decisions["max_cost"] = 0.0
    return msgspec.structs.replace(request, **decisions)


def _not_a_choice(name: str, value: object) -> str:
    if name == "quality" and isinstance(value, int | float):
        return "a number needs a calibration, and there is none"
    return "there is no such choice"


def _or(choices: tuple[str, ...]) -> str:
    return ", ".join(f'"{choice}"' for choice in choices[:-1]) + f' or "{choices[-1]}"'
