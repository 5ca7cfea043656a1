"""What a failed call means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.types import Kind
from cascade.wire.failures import classify, failure_of, retry_after

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
        (403, body(), Kind.AUTH),
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
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:30 GMT"}, 10.0),
        ({"retry-after": "Mon, 21 Sep 2020 14:13:30 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_the_wait_is_read_in_each_of_its_spellings(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, NOW) == seconds
    assert classify(429, headers, b"", NOW).retry_after == seconds


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (body(type="server_error"), Kind.UNAVAILABLE),
        (body(type="overloaded_error"), Kind.OVERLOADED),
        (body(code=429), Kind.LIMITED),
        (body(code="502"), Kind.UNAVAILABLE),
        (body(code="context_length_exceeded"), Kind.TOO_LONG),
        (body("hm"), Kind.BROKEN),
    ],
)
def test_an_error_inside_a_200_tells_its_kind_too(sent: bytes, kind: Kind) -> None:
    assert failure_of(sent, Kind.BROKEN).kind is kind


@given(st.integers(100, 999), st.dictionaries(st.text(), st.text()), st.binary())
def test_whatever_a_provider_sends_is_classified(
    status: int, headers: dict[str, str], sent: bytes
) -> None:
    assert classify(status, headers, sent, NOW).kind in Kind


@given(
    st.integers(100, 999),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "message", "code", "type", "detail", "details", "innererror"]
                ),
                inner,
            )
        ),
    ),
)
def test_error_bodies_of_any_shape_are_classified(status: int, sent: object) -> None:
    assert classify(status, {"retry-after": "1"}, json.dumps(sent).encode(), NOW).retry_after == 1
