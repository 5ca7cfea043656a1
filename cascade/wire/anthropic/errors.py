"""Error bodies and events of the Messages API, for clients."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["encode_error", "encode_error_event"]

_encode = msgspec.json.Encoder().encode

_BY_STATUS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def encode_error(
    message: str,
    *,
    status: int,
    type: str,  # noqa: A002  the interface's word
    code: str | None = None,
    param: str | None = None,
    extra: dict[str, Any] | None = None,
) -> bytes:
    """Write an error body; ``extra`` (attempts, the cheapest cap, …) goes under ``cascade``.

    The protocol's own word for the error follows from the ``status``; ``code`` stands where its
    clients look for a stable name of the cause. ``param`` has no place here: the message says it.
    """
    otherwise = "invalid_request_error" if status < 500 else "api_error"
    error: dict[str, Any] = {"type": _BY_STATUS.get(status, otherwise), "message": message}
    if code is not None:
        error["details"] = {"error_code": code}
    body: dict[str, Any] = {"type": "error", "error": error, "request_id": None}
    if extra is not None:
        body["cascade"] = extra
    return _encode(body)


def encode_error_event(body: bytes) -> bytes:
    """Write an error body as the event that ends a broken stream."""
    return b"event: error\ndata: " + body + b"\n\n"
