"""What a failed call means."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.types import Kind, Message, Response, Usage
from cascade.wire.failures import CallFailure, CutOff, Malformed, classify, failure_of

NOW = 1_790_000_000.0


def body(message: str = "no", **fields: object) -> bytes:
    return json.dumps({"error": {"message": message, **fields}}).encode()


@pytest.mark.parametrize(
    ("status", "sent", "kind"),
    [
        (400, body(type="invalid_request_error"), Kind.CALLER),
        (400, body(code="context_length_exceeded"), Kind.TOO_LONG),
        (400, body("This model's maximum context length is 8192 tokens"), Kind.TOO_LONG),
        (400, body(code="content_filter"), Kind.FILTERED),
        (400, body(code="content_policy_violation"), Kind.FILTERED),
        (400, body(innererror={"code": "ResponsibleAIPolicyViolation"}), Kind.FILTERED),
        (400, body(code="unsupported_parameter"), Kind.UNSUPPORTED),
        (400, body(code="unsupported_value"), Kind.UNSUPPORTED),
        (400, body("this model does not support tools"), Kind.UNSUPPORTED),
        (400, body("API key not valid. Please pass one", status="INVALID_ARGUMENT"), Kind.AUTH),
        (401, body(code="invalid_api_key"), Kind.AUTH),
        (402, body("Insufficient Balance"), Kind.QUOTA),
        (403, body(), Kind.FILTERED),
        (403, body(code="model_not_found"), Kind.MISSING),
        (404, body(code="model_not_found"), Kind.MISSING),
        (404, b"", Kind.MISSING),
        (405, b"", Kind.MISSING),
        (408, b"", Kind.UNAVAILABLE),
        (409, b"", Kind.UNAVAILABLE),
        (413, b"", Kind.TOO_LONG),
        (418, b"", Kind.CALLER),
        (422, b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', Kind.CALLER),
        (425, b"", Kind.UNAVAILABLE),
        (429, body(code="rate_limit_exceeded", type="tokens"), Kind.LIMITED),
        (429, body(code="insufficient_quota", type="insufficient_quota"), Kind.QUOTA),
        (429, body(code="credit_balance_exhausted"), Kind.QUOTA),
        (429, body(code="project_spend_limit_exceeded"), Kind.QUOTA),
        (429, body(code="organization_usage_limit_exceeded"), Kind.QUOTA),
        (429, body(details={"error_code": "enforced_spend_limit_reached"}), Kind.QUOTA),
        (429, b"", Kind.LIMITED),
        (500, body(type="server_error"), Kind.UNAVAILABLE),
        (502, b"<html>Bad Gateway</html>", Kind.UNAVAILABLE),
        (503, body("Loading model", type="unavailable_error", code=503), Kind.OVERLOADED),
        (504, b"", Kind.UNAVAILABLE),
        (529, body(type="overloaded_error"), Kind.OVERLOADED),
        (599, b"", Kind.UNAVAILABLE),
        (307, b"", Kind.MISSING),
        (204, b"", Kind.MALFORMED),
    ],
)
def test_status_and_code_tell_the_kind(status: int, sent: bytes, kind: Kind) -> None:
    assert classify(status, {}, sent, NOW).kind is kind


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"Forbidden",
        b"error code: 1020",
        b"<!DOCTYPE html><title>Attention Required!</title>Your key, your account, your region",
        body("Request blocked by content policy"),
        body("The prompt did not pass moderation for this account. No credits were charged."),
        body("Blocked keyword in the input"),
        body(type="request_forbidden"),
    ],
)
def test_a_403_for_one_prompt_is_no_word_against_the_key(sent: bytes) -> None:
    assert classify(403, {}, sent, NOW).kind is Kind.FILTERED


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (body("This key has been revoked"), Kind.AUTH),
        (body("Bad credentials"), Kind.AUTH),
        (body(code="account_deactivated"), Kind.AUTH),
        (body("Your organization must be verified to use this model"), Kind.AUTH),
        (body(type="permission_error"), Kind.AUTH),
        (body(status="PERMISSION_DENIED"), Kind.AUTH),
        (body(code="AccessDenied"), Kind.AUTH),
        (body(code="unsupported_country_region_territory"), Kind.AUTH),
        (body("User location is not served"), Kind.AUTH),
        (b"You do not have access to this resource", Kind.AUTH),
        (body("Add a payment method to go on"), Kind.QUOTA),
        (body(code="billing_overdue"), Kind.QUOTA),
    ],
)
def test_a_403_that_speaks_of_the_account_or_its_money_concerns_everybody(
    sent: bytes, kind: Kind
) -> None:
    assert classify(403, {}, sent, NOW).kind is kind


@pytest.mark.parametrize(
    ("afford", "kind"),
    [("19484", Kind.UNSUPPORTED), ("0", Kind.QUOTA), ("-12", Kind.QUOTA)],
)
def test_a_402_that_a_smaller_answer_would_cure_blames_nobody(afford: str, kind: Kind) -> None:
    said = "This request requires more credits, or fewer max_tokens. You requested up to 65536"
    sent = body(f"{said} tokens, but can only afford {afford}. To increase, …", code=402)
    assert classify(402, {}, sent, NOW).kind is kind


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (400, body(code="json_validate_failed")),
        (400, body(code="tool_use_failed")),
        (400, body(code="output_parse_failed")),
        (500, body("error parsing tool call: raw='{]', err=invalid character", type="api_error")),
        (500, body("Failed to parse input at pos 184: <tool_call>", code=500)),
    ],
)
def test_a_provider_is_not_blamed_for_what_its_model_wrote(status: int, sent: bytes) -> None:
    for failure in (classify(status, {}, sent, NOW), failure_of(sent, Kind.BROKEN)):
        assert failure.kind is Kind.MALFORMED
        assert not failure.blames


def test_every_other_failure_blames_unless_it_says_otherwise() -> None:
    response = Response(Message("assistant"), "unknown", "m", usage=Usage(3, 1))
    for failure in (classify(500, {}, b"", NOW), Malformed("hm"), CutOff(response)):
        assert failure.blames
    assert not Malformed("hm", blames=False).blames


def test_a_failure_carries_what_came_of_the_answer() -> None:
    response = Response(Message("assistant"), "unknown", "m", usage=Usage(3, 1))
    for failure in (
        CutOff(response),
        failure_of(b"", Kind.BROKEN, response),
        Malformed("hm", response=response),
    ):
        assert failure.response is response


@pytest.mark.parametrize(
    "sent",
    [
        b'{"error": {"message": "the reason"}}',
        b'{"error": "the reason"}',
        b'{"object": "error", "message": "the reason", "type": "BadRequestError", "code": 400}',
        b'{"detail": "the reason"}',
        b'{"message": {"detail": "the reason"}}',
        b'[{"error": {"code": 400, "message": "the reason", "status": "INVALID_ARGUMENT"}}]',
    ],
)
def test_the_reason_is_found_in_every_providers_shape(sent: bytes) -> None:
    assert "the reason" in classify(400, {}, sent, NOW).message


@pytest.mark.parametrize(
    "sent", [b"", b"<html><body>502</body></html>", b"{", b"[]", b"3", b"\xff"]
)
def test_a_body_that_says_nothing_gives_a_plain_message(sent: bytes) -> None:
    assert classify(502, {}, sent, NOW).message == "HTTP 502, without a readable reason"


@pytest.mark.parametrize(
    "said",
    [
        "Incorrect API key provided: sk-proj-abc123def456ghi.",
        "Invalid token Bearer abcdef0123456789",
        "bad key 0123456789abcdef0123456789abcdef",
        "bad key ab12****wxyz",
        "key AIzaSyA1234567890abcdefg not valid",
    ],
)
def test_keys_are_never_quoted(said: str) -> None:
    message = classify(401, {"authorization": "Bearer sk-secret-1"}, body(said), NOW).message
    assert "[key]" in message
    for secret in ("abc123", "abcdef", "wxyz", "AIza", "secret"):
        assert secret not in message


def test_a_long_or_many_lined_reason_is_shortened_to_one_line() -> None:
    message = classify(400, {}, body("why\n\x00" + "x" * 5000), NOW).message
    assert len(message) < 400
    assert message.isprintable()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "30s"}, 30.0),
        ({"retry-after": "1m30s"}, 90.0),
        ({"retry-after": "1h2m3.5s"}, 3723.5),
        ({"retry-after": "12ms"}, 0.012),
        ({"retry-after": "30 seconds"}, 30.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "0"}, 0.0),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:30 GMT"}, 10.0),
        ({"retry-after": "Monday, 21-Sep-26 14:13:30 GMT"}, 10.0),
        ({"retry-after": "Mon Sep 21 14:13:30 2026"}, 10.0),
        ({"retry-after": "2026-09-21T14:13:30Z"}, 10.0),
        ({"retry-after": "2026-09-21T16:13:30.5+02:00"}, 10.5),
        ({"retry-after": "Mon, 21 Sep 2020 14:13:30 GMT"}, 0.0),
        ({"retry-after": "2020-09-21T14:13:30Z"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "-1.5s"}, 0.0),
        ({"retry-after": "4320000"}, 4_320_000.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "9" * 400 + "s"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "5 parsecs"}, None),
        ({"retry-after": "2026-99-99T99:99:99Z"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_the_wait_is_read_in_each_of_its_spellings(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert classify(429, headers, b"", NOW).retry_after == seconds


SAID = body("Please try again in 7s.")
ASKED = body("Please try again in 7s.", details=[{"retryDelay": "6s"}])
USED_UP = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "5s"}


@pytest.mark.parametrize(
    ("status", "headers", "sent", "seconds"),
    [
        (429, USED_UP | {"retry-after": "4"}, ASKED, 4.0),
        (429, USED_UP, ASKED, 6.0),
        (429, USED_UP, SAID, 5.0),
        (429, {}, SAID, 7.0),
        (429, USED_UP | {"x-ratelimit-remaining-tokens": "1"}, SAID, 7.0),
        (429, USED_UP | {"x-ratelimit-reset-tokens": "soon"}, SAID, 7.0),
        (503, {}, ASKED, 6.0),
        (503, USED_UP, SAID, None),
        (400, {}, SAID, None),
        (429, USED_UP, body("Request too large for golden"), None),
    ],
)
def test_the_surest_word_on_the_wait_counts(
    status: int, headers: dict[str, str], sent: bytes, seconds: float | None
) -> None:
    assert classify(status, headers, sent, NOW).retry_after == seconds


def test_of_two_allowances_that_are_used_up_the_later_reset_counts() -> None:
    headers = USED_UP | {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "9s"}
    assert classify(429, headers, b"", NOW).retry_after == 9.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Please try again in 20ms. Visit us", 0.02),
        ("Please try again in 7m54.2s. Need more?", 474.2),
        ("Please retry after 86400 seconds.", 86_400.0),
        ("Try again in 1 minute 30 seconds", 90.0),
        ("Please try again in 5", None),
        ("Please try again in 20 models", None),
        ("Please try again later.", None),
    ],
)
def test_a_wait_is_found_in_words(said: str, seconds: float | None) -> None:
    assert classify(429, {}, body(said), NOW).retry_after == seconds


def test_the_prompts_size_is_told_of_prompts_that_are_too_long_only() -> None:
    said = "your messages resulted in 9,001 tokens"
    assert classify(413, {}, body(said), NOW).needs == 9001
    assert classify(429, {}, body(said), NOW).needs is None


def test_a_failure_can_be_made_with_its_first_three_attributes() -> None:
    failure = CallFailure(Kind.LIMITED, "later", 2.0)
    assert (failure.retry_after, failure.needs, failure.response) == (2.0, None, None)
    assert failure.blames
    assert str(failure) == "later"


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (body(type="server_error"), Kind.UNAVAILABLE),
        (body(type="overloaded_error"), Kind.OVERLOADED),
        (body(type="rate_limit_error"), Kind.LIMITED),
        (body(code=429), Kind.LIMITED),
        (body(code="502"), Kind.UNAVAILABLE),
        (body(code=400, metadata={"raw": '{"error": {"code": 429}}'}), Kind.LIMITED),
        (body(code=503, status="UNAVAILABLE"), Kind.OVERLOADED),
        (body(code="context_length_exceeded"), Kind.TOO_LONG),
        (body("Rate limit exceeded: free-models-per-day", code=429), Kind.QUOTA),
        (body("the maximum context length is 5 tokens"), Kind.TOO_LONG),
        (b'{"type": "error", "error": {"type": "overloaded_error"}}', Kind.OVERLOADED),
        (body("hm"), Kind.BROKEN),
        (b"", Kind.BROKEN),
    ],
)
def test_an_error_inside_a_200_tells_its_kind_too(sent: bytes, kind: Kind) -> None:
    assert failure_of(sent, Kind.BROKEN).kind is kind


def test_an_error_inside_a_200_tells_wait_and_size_too() -> None:
    assert failure_of(ASKED, Kind.LIMITED).retry_after == 6.0
    assert failure_of(body("Try again in 2s", code=429), Kind.BROKEN).retry_after == 2.0
    long = body("prompt is too long: 205000 tokens > 200000 maximum")
    assert failure_of(long, Kind.BROKEN).needs == 205_000


FIELDS = (
    *("error", "message", "code", "type", "status", "detail", "details", "innererror", "metadata"),
    *("raw", "reason", "violations", "quotaId", "quotaValue", "retryDelay", "msg", "loc"),
    *("n_prompt_tokens", "__type", "quota_limit"),
)
WORDS = (
    *("insufficient_quota", "try again in 5s", "-1s", "0", "9" * 5000, '{"error": {"code": 1}}'),
    *("messages resulted in 99 tokens", "{", "PerDay", "1e400s"),
)
TEXT = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(FIELDS) | TEXT, inner),
)
WAIT_HEADERS = (
    *("retry-after", "Retry-After-Ms", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    *("x-ratelimit-limit-tokens", "anthropic-ratelimit-tokens-reset", "ratelimit"),
    "x-amzn-errortype",
)
VALUES = (
    st.sampled_from(["0", "-1", "nan", "1e308", "9" * 400, "1m2s", "0001-01-01T00:00:00+23:00"])
    | st.floats().map(str)
    | st.datetimes().map(str)
    | st.text()
)
HEADERS = st.dictionaries(st.sampled_from(WAIT_HEADERS) | st.text(), VALUES)


def check(failure: CallFailure) -> None:
    assert failure.kind in Kind
    assert failure.message.isprintable()
    wait = failure.retry_after
    assert wait is None or (math.isfinite(wait) and wait >= 0)
    assert failure.needs is None or (failure.kind is Kind.TOO_LONG and failure.needs > 0)


@given(st.integers(100, 999), HEADERS, st.binary())
def test_whatever_a_provider_sends_is_classified(
    status: int, headers: dict[str, str], sent: bytes
) -> None:
    check(classify(status, headers, sent, NOW))
    check(failure_of(sent, Kind.BROKEN))


@given(st.integers(400, 599), HEADERS, JSON, st.integers(0, 40))
def test_error_bodies_of_any_shape_are_classified_even_cut_off(
    status: int, headers: dict[str, str], sent: object, cut: int
) -> None:
    whole = json.dumps(sent).encode()
    for part in (whole, whole[: len(whole) - cut]):
        check(classify(status, headers, part, NOW))
        check(failure_of(part, Kind.BROKEN))


@pytest.mark.parametrize(
    "sent",
    [
        b'{"error":' * 100_000,
        b"[" * 100_000,
        b'{"error":' * 400 + b"1" + b"}" * 400,
        b'{"error": {"code": ' + b"9" * 5000 + b"}}",
        b'{"error": {"code": 1e999, "n_prompt_tokens": -1e999}}',
        body("x" * 2_000_000),
        body("(" * 100_000 + "1" * 100_000),
        body("try again in " + "1" * 100_000),
        body("try again in " + "1s " * 100_000),
        body("*a" * 50_000, code="invalid_api_key"),
    ],
    ids=range(10),
)
def test_monstrous_bodies_are_classified(sent: bytes) -> None:
    check(classify(429, {}, sent, NOW))


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
TAIL = st.text(ALPHABET, min_size=24, max_size=48)
KEYS = st.one_of(
    st.builds(
        "{}{}".format,
        st.sampled_from(
            [
                "sk-",
                "sk-proj-",
                "sk-ant-api03-",
                "sk-or-v1-",
                "gsk_",
                "xai-",
                "hf_",
                "AIza",
                "tgp_v1_",
            ]
        ),
        TAIL,
    ),
    TAIL.filter(lambda tail: tail.isalnum() and not tail.isalpha() and not tail.isdecimal()),
    st.builds("Bearer {}".format, TAIL),
    st.builds("api-key: {}".format, TAIL),
)


@given(
    KEYS,
    st.sampled_from(
        ["{}", "Your key {} is wrong", "key={}", '"{}"', "x_{}", "({})", "url?key={}&a=1"]
    ),
    st.sampled_from([400, 401, 403, 429, 500]),
    st.integers(0, 400),
    st.sampled_from(["message", "code", "type", "detail", "raw"]),
)
def test_nothing_that_looks_like_a_key_is_quoted(
    key: str, around: str, status: int, before: int, field: str
) -> None:
    said = "x " * (before // 2) + around.format(key)
    error = {"metadata": {"raw": said}} if field == "raw" else {field: said}
    secret = key.split(" ")[-1][-20:]
    for sent in (json.dumps({"error": error}).encode(), said.encode()):
        message = classify(status, {}, sent, NOW).message
        assert not any(secret[at : at + 8] in message for at in range(len(secret) - 7))
