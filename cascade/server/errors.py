"""From what went wrong to an error in the client's protocol.

Every one says ``x-should-retry: false``: what could be tried again has been tried by the cascade,
and a client that asks again pays again.
"""

from __future__ import annotations

import math
import os
from collections.abc import Awaitable
from typing import Any

from cascade.client.account import attempted
from cascade.errors import (
    Broken,
    CapTooLow,
    CascadeError,
    Closed,
    ConfigError,
    DeadlineExceeded,
    Failed,
    MissingKey,
    NotCached,
    Rejected,
    RequestError,
    TooLong,
    Unavailable,
    UnsupportedParameter,
)
from cascade.listen import ClientLeftError, TooLargeError
from cascade.log import logger
from cascade.server.dialects import Dialect
from cascade.server.headers import Header, of_identity
from cascade.server.names import UnknownModelError
from cascade.server.origin import ForeignOriginError
from cascade.server.replies import JSON, Reply
from cascade.types import Attempt

_NO_RETRY: Header = (b"x-should-retry", b"false")
_CALLER = "invalid_request_error"
_SERVER = "server_error"

KNOWN = (CascadeError, UnknownModelError, TooLargeError, ForeignOriginError)
"""What ``problem`` can tell of."""

_KINDS: tuple[tuple[type[Exception], int, str, str], ...] = (  # the first that fits
    (UnknownModelError, 404, _CALLER, "model_not_found"),
    (ForeignOriginError, 403, _CALLER, "foreign_origin"),
    (TooLargeError, 413, _CALLER, "request_too_large"),
    (UnsupportedParameter, 400, _CALLER, "unsupported_parameter"),
    (TooLong, 400, _CALLER, "context_length_exceeded"),
    (RequestError, 400, _CALLER, "invalid_request"),
    (CapTooLow, 400, _CALLER, "cap_too_low"),
    (Rejected, 400, _CALLER, "rejected_by_provider"),
    (NotCached, 504, _SERVER, "not_cached"),
    (DeadlineExceeded, 504, _SERVER, "deadline_exceeded"),
    (Unavailable, 503, _SERVER, "unavailable"),
    (Failed, 503, _SERVER, "no_answer"),
    (Broken, 502, _SERVER, "stream_broken"),
    (MissingKey, 500, _SERVER, "missing_key"),
    (ConfigError, 500, _SERVER, "wrong_configuration"),
    (Closed, 503, _SERVER, "closing"),
    (CascadeError, 500, _SERVER, "internal_error"),
)


def new_id() -> str:
    """An id for a request that has no answer's id."""
    return "req_" + os.urandom(12).hex()


async def guarded(work: Awaitable[Reply | None], dialect: Dialect) -> Reply | None:
    """Return what is to be sent: the work's reply, or what the client is told where it failed."""
    try:
        return await work
    except ClientLeftError:
        return None  # nobody is there to be told
    except KNOWN as error:
        return problem(error, new_id(), dialect)
    except Exception as error:  # noqa: BLE001 - a defect must reach log and client, with an id
        return unexpected(error, new_id(), dialect)


def problem(error: Exception, identity: str, dialect: Dialect) -> Reply:
    """Return what the client is told of one of the ``KNOWN`` errors."""
    status, kind, code = next(row[1:] for row in _KINDS if isinstance(error, row[0]))
    reply = refusal(dialect, status, _message(error), kind, code, _place(error), _extra(error))
    reply.headers += of_identity(identity, dialect)
    if isinstance(error, Unavailable):
        # Whole seconds, as HTTP has them; 0 would ask for another try at once.
        reply.headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after))))
    if isinstance(error, TooLargeError):
        reply.headers.append((b"connection", b"close"))  # the rest of the body may be under way
    return reply


def unexpected(error: Exception, identity: str, dialect: Dialect) -> Reply:
    """Log a defect of ours; the client gets the id under which it stands in the log."""
    logger("server").error("unexpected error", request_id=identity, exc_info=error)
    message = f"something went wrong inside the server; its log says what, under {identity}"
    reply = refusal(dialect, 500, message, _SERVER, "internal_error")
    reply.headers += of_identity(identity, dialect)
    return reply


def refusal(
    dialect: Dialect,
    status: int,
    message: str,
    kind: str = _CALLER,
    code: str | None = None,
    param: str | None = None,
    extra: dict[str, Any] | None = None,
) -> Reply:
    """Return an error; ``extra`` stands beside it under ``cascade``."""
    body = dialect.codec.encode_error(
        message, status=status, type=kind, code=code, param=param, extra=extra
    )
    return Reply(status, body, [JSON, _NO_RETRY])


def stopping() -> Closed:
    """What a request hears that is cancelled because the server stops."""
    return Closed("the server is stopping, and the answer did not come in time. Ask again later.")


def _message(error: Exception) -> str:
    if isinstance(error, NotCached):  # its own words are the library's
        return (
            "nothing is stored for this request, and it asked for a stored answer only. Leave out "
            'Cache-Control: only-if-cached, or "cache": "only" in the body, to have it answered.'
        )
    return str(error)


def _place(error: Exception) -> str | None:
    if isinstance(error, RequestError):
        return error.place
    if isinstance(error, CapTooLow):
        return "cascade.max_cost"
    return "model" if isinstance(error, UnknownModelError) else None


def _extra(error: Exception) -> dict[str, Any] | None:
    if isinstance(error, CapTooLow):
        return {"cheapest_usd": error.cheapest_usd}
    if isinstance(error, Failed | Broken):
        return {"attempts": [_attempt(attempt) for attempt in error.attempts]}
    return None


def _attempt(attempt: Attempt) -> dict[str, Any]:
    """An answer that was sound but short travels with the error: it has been paid for."""
    told = attempted(attempt)
    return told | {"text": attempt.text} if attempt.result == "short" else told
