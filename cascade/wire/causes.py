"""From what a provider says of an error to its kind: tables of codes, of words, of statuses.

Codes decide before words, words before the status, so that a 429 that no waiting cures is not
taken for one that waiting does. Words count only at statuses that leave the cause open.
"""

from __future__ import annotations

from cascade.types import Kind
from cascade.wire.error_body import ErrorBody
from cascade.wire.forbidden import forbidden

__all__ = ["is_the_models_own", "kind_inside", "kind_of"]

# The model wrote what its own server could not read, or what breaks the caller's schema.
_UNREADABLE_LABELS = ("json_validate_failed", "tool_use_failed", "output_parse_failed")
_UNREADABLE_WORDS = ("error parsing tool call", "failed to parse input at pos")

# What these say holds whatever the status is.
_BY_LABEL: dict[str, Kind] = {
    label: kind
    for kind, labels in {
        Kind.QUOTA: (
            "insufficient_quota",
            "insufficient_user_quota",
            "exceeded_current_quota_error",
            "credit_balance_exhausted",
            "usage_limit_exceeded",
            "organization_usage_limit_exceeded",
            "billing_hard_limit_reached",
            "billing_not_active",
            "billing_error",
            "billing_disabled",
            "linked_organization_billing_unavailable",
            "budget_exceeded",
            "servicequotaexceededexception",
        ),
        Kind.TOO_LONG: (
            "context_length_exceeded",
            "model_context_window_exceeded",
            "exceed_context_size_error",
            "request_too_large",
            "string_above_max_length",
        ),
        Kind.FILTERED: (
            "content_filter",
            "content_policy",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "moderation_blocked",
            "invalid_prompt",
            "cyber_policy",
            "misalignment_policy_violation",
            "data_inspection_failed",
        ),
        Kind.UNSUPPORTED: (
            "unsupported_parameter",
            "unsupported_value",
            "unknown_parameter",
            "not_supported_error",
        ),
        Kind.MISSING: (
            "model_not_found",
            "model_not_available",
            "model_decommissioned",
            "invalid_model",
            "unknown_model",
            "deploymentnotfound",
            "operationnotsupported",
        ),
        Kind.AUTH: (
            "invalid_api_key",
            "api_key_invalid",
            "model_terms_required",
            "organization_on_hold",
            "cmek_key_disabled",
            "cmek_key_unreachable",
            "cmek_key_network_blocked",
            "failed_precondition",  # Google: not from this country, not without a bill
        ),
        Kind.OVERLOADED: (
            "overloaded_error",
            "overloaded",
            "engine_overloaded",
            "engine_overloaded_error",
            "server_is_overloaded",
            "slow_down",
            "model_capacity_exhausted",
            "modelnotreadyexception",
        ),
        Kind.MALFORMED: _UNREADABLE_LABELS,
    }.items()
    for label in labels
}
_SPENT_LABELS = ("spend_limit_exceeded", "spend_limit_reached")
# What these say is vaguer than a status: they count where there is none, inside a 200.
_BY_VAGUE_LABEL: dict[str, Kind] = {
    "rate_limit_exceeded": Kind.LIMITED,
    "rate_limit_error": Kind.LIMITED,
    "rate_limited": Kind.LIMITED,
    "resource_exhausted": Kind.LIMITED,
    "throttlingexception": Kind.LIMITED,
    "unavailable": Kind.OVERLOADED,
    "unavailable_error": Kind.OVERLOADED,
    "server_error": Kind.UNAVAILABLE,
    "internal": Kind.UNAVAILABLE,
    "internal_error": Kind.UNAVAILABLE,
    "internal_server_error": Kind.UNAVAILABLE,
    "internalservererror": Kind.UNAVAILABLE,
    "api_error": Kind.UNAVAILABLE,
    "timeout": Kind.UNAVAILABLE,
    "timeout_error": Kind.UNAVAILABLE,
    "deadline_exceeded": Kind.UNAVAILABLE,
    "unauthenticated": Kind.AUTH,
    "authentication_error": Kind.AUTH,
    "permission_error": Kind.AUTH,
    "permission_denied": Kind.AUTH,
    "not_found": Kind.MISSING,
    "not_found_error": Kind.MISSING,
    "notfounderror": Kind.MISSING,
    "invalid_argument": Kind.CALLER,
    "invalid_request_error": Kind.CALLER,
    "badrequesterror": Kind.CALLER,
}
_BY_STATUS: dict[int, Kind] = {
    401: Kind.AUTH,
    402: Kind.QUOTA,
    404: Kind.MISSING,
    405: Kind.MISSING,
    407: Kind.AUTH,
    408: Kind.UNAVAILABLE,  # their clock, not ours: trying again is right
    409: Kind.UNAVAILABLE,
    410: Kind.MISSING,
    413: Kind.TOO_LONG,
    424: Kind.UNAVAILABLE,
    425: Kind.UNAVAILABLE,
    429: Kind.LIMITED,
    499: Kind.UNAVAILABLE,
    503: Kind.OVERLOADED,
    529: Kind.OVERLOADED,
}
_REQUEST = frozenset({400, 422, 500, 501})  # servers without codes find every fault "bad"
_PROMPT = _REQUEST | {403}
_ACCOUNT = frozenset({400, 403, 429})
_RATE = frozenset({413, 429})
_PAYMENT = frozenset({402})
# The first row that fits decides. Of a day's allowance no wait within a request sees the end, so
# it counts as used up, like money; its Retry-After is kept.
_WORDS: tuple[tuple[frozenset[int], Kind, tuple[str, ...]], ...] = (
    # Larger than the whole allowance of a minute: no waiting helps, yet the model's window is not
    # to blame, and another of the same width may take it.
    (_RATE, Kind.UNSUPPORTED, ("request too large for",)),
    # Larger than what is left of the money: a smaller request goes through, unless nothing is.
    (_PAYMENT, Kind.QUOTA, ("can only afford 0", "can only afford -")),
    (_PAYMENT, Kind.UNSUPPORTED, ("or fewer max_tokens", "token capacity required")),
    (_REQUEST, Kind.MALFORMED, _UNREADABLE_WORDS),
    (
        _ACCOUNT,
        Kind.QUOTA,
        (
            "credit balance is too low",
            "api usage limits",
            "spend limit",
            "spending limit",
            "key limit exceeded",
            "insufficient balance",
            "insufficient credit",
            "budget has been exceeded",
        ),
    ),
    (_RATE, Kind.QUOTA, ("tokens per day", "requests per day", "-per-day")),
    (
        _RATE,
        Kind.OVERLOADED,
        ("capacity exceeded", "no capacity available", "high demand", "overloaded"),
    ),
    (
        _PROMPT,
        Kind.TOO_LONG,
        (
            "context length",
            "context window",
            "context size",
            "context limit",
            "maximum prompt length",
            "prompt is too long",
            "prompt too long",
            "input is too long",
            "input token count",
            "input tokens exceed",
            "`inputs` tokens",
        ),
    ),
    (
        _REQUEST,
        Kind.AUTH,
        (
            "api key not valid",
            "api key expired",
            "incorrect api key",
            "invalid api key",
            "organization has been disabled",
            "location is not supported",
        ),
    ),
    (
        _PROMPT,
        Kind.FILTERED,
        (
            "content management policy",
            "content filtering policy",
            "content exists risk",
            "violates usage guidelines",
            "was flagged",
            "flagged by moderation",
        ),
    ),
    (_REQUEST, Kind.MISSING, ("on-demand throughput", "requires more system memory")),
    (
        _REQUEST,
        Kind.UNSUPPORTED,
        (
            "does not support",
            "unsupported parameter",
            "unsupported value",
            "is unsupported",
            "not supported",
            "isn't supported",
            "unrecognized request argument",
            "extra inputs are not permitted",
            "cannot find field",
            "cannot both be specified for this model",
            "supports at most",
            "maximum allowed number of output tokens",
            "valid range of max_tokens",
            "maximum tokens you requested exceed",
            "is not a multimodal model",
            "unable to generate parser",  # llama.cpp: its template or grammar has no form for it
            "failed to initialize samplers",
            "--enable-auto-tool-choice",
            "--jinja",
        ),
    ),
    # The second is our emulator's: one request that was not recorded is no missing model.
    (frozenset({404}), Kind.UNSUPPORTED, ("no endpoints found that support", "not recorded: ")),
)


def kind_of(status: int, error: ErrorBody) -> Kind:
    """Tell what an answer with this status and this body means."""
    kind = _labelled(error, _BY_LABEL) or _worded(error, status)
    if kind is not None:
        return kind
    if status == 403:
        return forbidden(error)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 400 <= status < 500:
        return Kind.CALLER
    if status >= 500:
        return Kind.UNAVAILABLE
    if 300 <= status < 400:
        return Kind.MISSING  # a redirect: the address is another one, and keys do not follow it
    return Kind.MALFORMED


def kind_inside(error: ErrorBody, otherwise: Kind) -> Kind:
    """Tell what an error inside a 200 means; ``otherwise`` where it does not say."""
    kind = _labelled(error, _BY_LABEL)
    if kind is not None:
        return kind
    if error.number is not None:
        return kind_of(error.number, error)
    return _worded(error, None) or _labelled(error, _BY_VAGUE_LABEL) or otherwise


def is_the_models_own(error: ErrorBody) -> bool:
    """Whether the model wrote what could not be taken: its provider did what it should."""
    said = error.message.lower()
    return any(label in _UNREADABLE_LABELS for label in error.labels) or any(
        words in said for words in _UNREADABLE_WORDS
    )


def _labelled(error: ErrorBody, table: dict[str, Kind]) -> Kind | None:
    if error.spent:
        return Kind.QUOTA
    for label in error.labels:
        if label.endswith(_SPENT_LABELS):
            return Kind.QUOTA
        if label in table:
            return table[label]
    return None


def _worded(error: ErrorBody, status: int | None) -> Kind | None:
    """What the words say at this status; at any where there is none."""
    said = error.message.lower()
    for statuses, kind, phrases in _WORDS:
        if (status is None or status in statuses) and any(words in said for words in phrases):
            return kind
    return None
