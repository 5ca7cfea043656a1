"""The emulator as an ASGI application. What it does and does not do is told in the package."""

from __future__ import annotations

import itertools
import math
import time
from functools import partial

import msgspec

from cascade.emulator.call import Call
from cascade.emulator.client import Client, send_whole
from cascade.emulator.counting import Delivered
from cascade.emulator.faults import Fault, Faults, parse_faults
from cascade.emulator.listing import model_body, models_body
from cascade.emulator.lookup import NotRecordedError, find, no_model
from cascade.emulator.mishaps import play
from cascade.emulator.nulls import refuse_nulls
from cascade.emulator.prefix import PrefixCache
from cascade.emulator.replies import Reply, reply_to
from cascade.emulator.routes import Route, is_mistrals, route
from cascade.errors import EmulatorError, RequestError
from cascade.learning.trace import Recording
from cascade.listen import ClientLeftError, Receive, Scope, Send, read_body
from cascade.tokens import count_request
from cascade.types import ProtocolName
from cascade.wire.codec import Incoming
from cascade.wire.codecs import CODECS
from cascade.wire.counting import counted_body, to_answer
from cascade.wire.framing import JsonArray, asks_for_events

_IDS: dict[ProtocolName, str] = {
    "openai": "chatcmpl-emulated-",
    "anthropic": "msg_emulated_",
    "gemini": "emulated-",
}


class Emulator:
    """A provider that answers from a recording.

    ``speed`` 1 keeps the recorded latencies, 2 halves them, 0 leaves them out. ``faults`` says
    what goes wrong, in the grammar of :mod:`cascade.emulator.faults`. ``prefix_cache`` is the
    provider's prompt cache; without one no token is ever reported as cached. ``delivered`` counts
    what left, by model.

    Raises:
        EmulatorError: the speed is not a number of at least 0, or the faults cannot be read.
    """

    def __init__(
        self,
        recording: Recording,
        speed: float = 1.0,
        *,
        faults: str | Faults = "",
        prefix_cache: PrefixCache | None = None,
    ) -> None:
        if not (math.isfinite(speed) and speed >= 0):
            raise EmulatorError(
                f"the speed is {speed}, which is no number of at least 0. Give 1 for the recorded "
                "latencies, 2 for half of them, 0 for none."
            )
        self.recording = recording
        self.speed = speed
        models = recording.models
        self._faults = parse_faults(faults, models) if isinstance(faults, str) else faults
        self._prefixes = prefix_cache
        self.delivered = Delivered(models, self._faults.names)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = time.monotonic()
        asked = route(scope["method"], scope["path"], scope["headers"])
        match asked.wanted:
            case "answer":
                await self._answer(asked.protocol, arrived, scope, receive, send)
            case "count":
                await self._count(asked.protocol, scope, receive, send)
            case "models":
                await self._models(asked, scope, send)
            case "model":
                await self._model(asked, send)
            case "delivered":
                await send_whole(send, 200, self.delivered.encode())
            case "health":
                await send_whole(send, 200, b'{"status":"ok"}')
            case "nothing":
                message = f"there is nothing to {scope['method']} at {scope['path']}"
                await send_whole(send, 404, _error(asked.protocol, 404, message))
            case "other method":
                message = f"{scope['path']} takes {asked.allowed}, not {scope['method']}"
                allow = (b"allow", asked.allowed.encode())
                await send_whole(send, 405, _error(asked.protocol, 405, message), (allow,))

    async def _answer(
        self, protocol: ProtocolName, arrived: float, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a call, or refuse one that cannot be read or was not recorded."""
        try:
            body = await read_body(receive)
        except ClientLeftError:
            return
        try:
            incoming = CODECS[protocol].decode_request(body, scope["path"])
            refuse_nulls(protocol, body)
            answer = find(self.recording, incoming.model, incoming.request)
        except (RequestError, NotRecordedError) as refused:
            await _refuse(protocol, send, refused)
            return
        number = next(self._numbers)
        reply = reply_to(incoming.request, answer, f"call_{number}")
        if is_mistrals(scope["headers"]):
            reply = reply.for_mistrals_client()
        client = Client(scope, receive, send, arrived, reply.duration / (self.speed or math.inf))
        tally = self.delivered.by_model[incoming.model]
        tally.calls += 1
        call = self._call(protocol, incoming, reply, client, number)
        if protocol == "gemini" and not asks_for_events(scope["query_string"]):
            call.framing = JsonArray()
        try:
            await self._deliver(call, self._faults.draw(incoming.model, tally.calls))
        except ClientLeftError:
            tally.disconnected += 1
        finally:
            client.close()

    def _call(
        self,
        protocol: ProtocolName,
        incoming: Incoming,
        reply: Reply,
        client: Client,
        number: int,
    ) -> Call:
        """Make the call, its usage as the prompt cache has it."""
        begun = _nothing
        if (prefixes := self._prefixes) is not None:
            seen = prefixes.look(protocol, incoming.model, incoming.request, reply.usage)
            reply = msgspec.structs.replace(reply, usage=seen.usage)
            begun = partial(prefixes.keep, seen)
        tally = self.delivered.by_model[incoming.model]
        name = f"{_IDS[protocol]}{number}"
        return Call(CODECS[protocol], incoming, reply, client, tally, begun, name)

    async def _deliver(self, call: Call, fault: Fault | None) -> None:
        if fault is None:
            call.begin()
            await call.answer()
        else:
            self.delivered.faults[fault.name] += 1
            await play(call, fault)

    async def _models(self, asked: Route, scope: Scope, send: Send) -> None:
        try:
            body = models_body(asked, self.recording.models, scope["query_string"])
        except RequestError as refused:
            await _refuse(asked.protocol, send, refused)
        else:
            await send_whole(send, 200, body)

    async def _model(self, asked: Route, send: Send) -> None:
        if asked.model in self.recording.models:
            await send_whole(send, 200, model_body(asked))
        else:
            await _refuse(asked.protocol, send, no_model(self.recording, asked.model))

    async def _count(
        self, protocol: ProtocolName, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Say how many tokens a prompt is: as recorded, else as they are counted here."""
        try:
            body, path = to_answer(protocol, await read_body(receive), scope["path"])
            incoming = CODECS[protocol].decode_request(body, path)
            refuse_nulls(protocol, body)
        except ClientLeftError:
            return
        except RequestError as refused:
            await _refuse(protocol, send, refused)
            return
        await send_whole(send, 200, counted_body(protocol, self._tokens(incoming)))

    def _tokens(self, incoming: Incoming) -> int:
        try:
            recorded = find(self.recording, incoming.model, incoming.request).input_tokens
        except NotRecordedError:
            recorded = None
        return count_request(incoming.request) if recorded is None else recorded


def _nothing() -> None:
    pass


async def _refuse(
    protocol: ProtocolName, send: Send, refused: RequestError | NotRecordedError
) -> None:
    if isinstance(refused, NotRecordedError):
        body = _error(protocol, 404, refused.message, refused.code, refused.place)
        await send_whole(send, 404, body)
    else:
        await send_whole(send, 400, _error(protocol, 400, str(refused), None, refused.place))


def _error(
    protocol: ProtocolName,
    status: int,
    message: str,
    code: str | None = None,
    param: str | None = None,
) -> bytes:
    return CODECS[protocol].encode_error(
        message, status=status, type="invalid_request_error", code=code, param=param
    )
