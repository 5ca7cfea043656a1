"""Each fault as it is played to a client. ``cascade.emulator.faults`` names them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cascade.emulator.call import Call
from cascade.emulator.damage import emptied, emptied_events, malformed, unfinished
from cascade.emulator.faults import Fault

__all__ = ["play"]

_PAGE = b"<!DOCTYPE html><html><title>502 Bad Gateway</title><h1>Bad Gateway</h1></html>"
_STATUSES = {  # OpenAI's words; the other protocols have theirs by the status
    429: ("rate limit reached", "rate_limit_error", "rate_limit_exceeded"),
    500: ("the server had an error", "server_error", None),
    503: ("the engine is unavailable", "server_error", "service_unavailable"),
    529: ("overloaded", "overloaded_error", None),
}


async def play(call: Call, fault: Fault) -> None:
    """Answer a call with this fault.

    Raises:
        ClientLeftError: the client left before the end.
    """
    await _PLAYS[fault.name](call, fault)


async def _reset(call: Call, fault: Fault) -> None:
    await call.client.reset()


async def _status(call: Call, fault: Fault) -> None:
    status = int(fault.name[:3])
    message, kind, code = _STATUSES[status]
    body = call.codec.encode_error(message, status=status, type=kind, code=code)
    wait = [(b"retry-after", fault.retry_after.encode("latin-1"))] if fault.retry_after else []
    await call.client.head(b"application/json", len(body), status, wait)
    await call.client.send_piece(body, last=True)


async def _hang(call: Call, fault: Fault) -> None:
    call.begin()
    await call.client.idle()


async def _hang_after_headers(call: Call, fault: Fault) -> None:
    call.begin()
    await call.client.head(call.content_type)
    await call.client.idle()


async def _trickle(call: Call, fault: Fault) -> None:
    call.begin()
    body = await _entire(call)
    await call.client.head(call.content_type, None if call.stream else len(body))
    for at in range(len(body)):
        if at:
            await call.client.idle(fault.every)
        await call.client.send_piece(body[at : at + 1], last=at + 1 == len(body))


async def _cut(call: Call, fault: Fault) -> None:
    call.begin()
    if call.stream:
        call.start()
        await call.leave(_place(call, fault))
        await call.flush()
    else:
        body = await _entire(call)
        await call.client.head(call.content_type, len(body))
        await call.client.send_piece(body[: int(fault.at * len(body))])
    await call.client.hang_up()


async def _early_end(call: Call, fault: Fault) -> None:
    call.begin()
    if call.stream:
        call.start()
        await call.leave(_place(call, fault))
        await call.flush(last=True)
    else:
        await call.client.until(1.0)
        call.reply = call.reply.cut(0, call.reply.finish_reason)
        await call.send_body(unfinished(call.body()))


async def _malformed(call: Call, fault: Fault) -> None:
    call.begin()
    if not call.stream:
        body = await _entire(call)
        await call.send_body(body[: max(1, int(fault.at * len(body)))])
        return
    pieces = len(call.reply.pieces)
    call.start()
    for at in range(_place(call, fault), pieces + 1):  # not every token has something to break
        await call.leave(at)
        if call.ready:
            break
    call.ready = malformed(call.ready)
    await call.leave(pieces)
    await call.client.until(1.0)
    call.finish()
    await call.flush(last=True)


async def _html(call: Call, fault: Fault) -> None:
    await call.client.head(b"text/html; charset=utf-8", len(_PAGE))
    await call.client.send_piece(_PAGE, last=True)


async def _empty(call: Call, fault: Fault) -> None:
    call.begin()
    await call.client.until(1.0)
    call.reply = call.reply.cut(0, call.reply.finish_reason)
    if call.stream:
        writer = call.writer()
        call.add(emptied_events(writer.start(call.reply.usage) + writer.end(call.reply.usage)))
        call.close()
        await call.flush(last=True)
    else:
        await call.send_body(emptied(call.body()))


async def _truncated(call: Call, fault: Fault) -> None:
    call.reply = call.reply.cut(_place(call, fault))
    call.begin()
    await call.answer()


async def _slow_first_token(call: Call, fault: Fault) -> None:
    call.begin()
    if call.stream:
        await call.client.head(call.content_type)
    await call.client.idle(fault.seconds)
    await call.answer()


async def _slow_headers(call: Call, fault: Fault) -> None:
    call.begin()
    body = await _entire(call)
    head = _head(call, b"content-length: %d" % len(body))
    for at in range(len(head)):
        await call.client.idle(fault.every if at else 0)
        call.client.write_raw(head[at : at + 1])
    call.client.write_raw(body)
    await call.client.hang_up()


async def _wrong_model(call: Call, fault: Fault) -> None:
    call.model = "a-model-nobody-asked-for"
    call.begin()
    await call.answer()


async def _error_in_200(call: Call, fault: Fault) -> None:
    message, kind, code = _STATUSES[500]
    body = call.codec.encode_error(message, status=500, type=kind, code=code)
    if call.stream:
        call.add(call.codec.encode_error_event(body))
        call.close()
        await call.flush(last=True)
    else:
        await call.send_body(body)


async def _duplicate_length(call: Call, fault: Fault) -> None:
    call.begin()
    body = await _entire(call)
    lengths = (b"content-length: %d" % len(body), b"content-length: %d" % (len(body) // 2))
    call.client.write_raw(_head(call, *lengths) + body)
    await call.client.hang_up()


async def _missing_length(call: Call, fault: Fault) -> None:
    call.begin()
    call.client.write_raw(_head(call) + await _entire(call))
    await call.client.hang_up()


async def _garbage(call: Call, fault: Fault) -> None:
    call.client.write_raw(fault.noise)
    await call.client.hang_up()


async def _entire(call: Call) -> bytes:
    """Return all bytes of the answer's body once they are due; all of it counts as delivered."""
    await call.client.until(1.0)
    call.count(0, len(call.reply.pieces))
    return call.entire_stream() if call.stream else call.body()


def _head(call: Call, *lengths: bytes) -> bytes:
    lines = (b"HTTP/1.1 200 OK", b"content-type: " + call.content_type, *lengths)
    return b"\r\n".join(lines) + b"\r\nconnection: close\r\n\r\n"


def _place(call: Call, fault: Fault) -> int:
    """Return the number of pieces after which it happens; never all of them."""
    return int(fault.at * len(call.reply.pieces))


_PLAYS: dict[str, Callable[[Call, Fault], Awaitable[None]]] = {
    "reset": _reset,
    "429": _status,
    "429-retry-after": _status,
    "500": _status,
    "503": _status,
    "529": _status,
    "hang": _hang,
    "hang-after-headers": _hang_after_headers,
    "trickle": _trickle,
    "cut": _cut,
    "early-end": _early_end,
    "malformed": _malformed,
    "html": _html,
    "empty": _empty,
    "truncated": _truncated,
    "slow-first-token": _slow_first_token,
    "slow-headers": _slow_headers,
    "wrong-model": _wrong_model,
    "error-in-200": _error_in_200,
    "duplicate-length": _duplicate_length,
    "missing-length": _missing_length,
    "garbage": _garbage,
}
