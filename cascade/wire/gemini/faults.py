"""Errors, as Google's clients expect them."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["encode_error", "encode_error_event"]

_encode = msgspec.json.Encoder().encode
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}


def encode_error(
    message: str,
    *,
    status: int = 400,
    type: str,  # noqa: A002 - the protocols' word
    code: str | None = None,
    param: str | None = None,
    extra: dict[str, Any] | None = None,
) -> bytes:
    """Write an error body. Google's word for it follows from the status; ``code`` and ``param``
    go where Google puts a reason and what it is about, ``extra`` (attempts, the cheapest cap, …)
    under ``cascade``. The ``type`` has no place."""
    word = _STATUS.get(status) or ("INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    error: dict[str, Any] = {"code": status, "message": message, "status": word}
    if code is not None or param is not None:
        info: dict[str, Any] = {"@type": _ERROR_INFO, "domain": "cascade"}
        if code is not None:
            info["reason"] = code.upper()
        if param is not None:
            info["metadata"] = {"param": param}
        error["details"] = [info]
    # "error" comes first: by that Google's own client knows an error in the middle of a stream.
    return _encode({"error": error} | ({} if extra is None else {"cascade": extra}))


def encode_error_event(body: bytes) -> bytes:
    """Write an error body as the event that ends a broken stream."""
    return b"data: " + body + b"\n\n"
