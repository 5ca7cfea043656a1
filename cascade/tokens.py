"""How many tokens a request is: a bound that needs no vocabulary, and a count that has one.

The bound is what money is reserved by. A byte-level vocabulary never makes more tokens than there
are bytes, so UTF-8 bytes plus an overhead bound the text for every provider. The count uses
OpenAI's ``o200k_base``, loaded once and late (0.3 s, 70 MB), and is asked for only where the
bound does not fit a cap or a context window. Claude and Gemini count differently: 1.1 to 1.35
times as many tokens for the same text.

Images are no text. What one may count as is known per endpoint, if at all.
"""

from __future__ import annotations

import hashlib
import lzma
import threading
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from cascade.types import Request, Response

if TYPE_CHECKING:
    import tiktoken

SOURCE_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""Of the file tiktoken downloads: its own constant. The packed file was made from that one."""

_PACKED_SHA256 = "651ec77316f64b858e6cbec935bbd4d8a6c8959a51be08e5c5675bdd31cfd824"
_TOKENS = 199_998

# tiktoken's pattern engine recurses over white space: a million spaces overflow its stack, which
# comes out as a panic that `except Exception` does not see. A piece is far below that.
_PIECE = 10_000

PER_ANSWER = 16
"""Output tokens that may be billed beside an answer's words: how it ends, and how it is framed."""


class _Overhead(NamedTuple):
    """What chat templates and providers add to a request's words, in tokens. ``tools`` is for
    having any."""

    request: int
    message: int
    call: int
    schema: int
    tools: int


# OpenAI's format takes 3 tokens a message and 3 more; a vendor's hidden prompt for tool use is
# several hundred.
_AT_MOST = _Overhead(request=32, message=16, call=16, schema=32, tools=1024)
_LIKELY = _Overhead(request=3, message=4, call=8, schema=8, tools=0)

# The pieces that tiktoken splits a text into before it merges bytes, as in tiktoken_ext.
_PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)


def input_bound(request: Request) -> int:
    """Return a number of input tokens that the request's text does not exceed anywhere."""
    return _sum(request, _bytes, _AT_MOST)


def count_request(request: Request) -> int:
    """Return the request's input tokens as ``o200k_base`` counts them, with the same overhead."""
    return _sum(request, count, _AT_MOST)


def estimate_request(request: Request) -> int:
    """Return how many input tokens the request likely counts as: its words in ``o200k_base`` and a
    usual overhead. It bounds nothing, and images are not in it: it is for telling, not for
    reserving money by."""
    return _sum(request, count, _LIKELY)


def output_bound(response: Response) -> int:
    """Return a number of output tokens that the answer's words do not exceed anywhere."""
    return _said(response, _bytes)


def count_response(response: Response) -> int:
    """Return the answer's output tokens as ``o200k_base`` counts its words."""
    return _said(response, count)


def padded(counted: int) -> int:
    """Return a bound from a count: other models were seen to make up to 1.35 times as many."""
    return -(-counted * 27 // 20)


def count(text: str) -> int:
    """Return the text's tokens in ``o200k_base``; their bound where it was not shipped.

    A long text is counted in pieces, which may make a token more at each seam.

    Raises:
        OSError: the vocabulary is damaged.
    """
    vocabulary = _vocabulary()
    if vocabulary is None:
        return _bytes(text)
    return sum(
        len(vocabulary.encode_ordinary(text[at : at + _PIECE]))
        for at in range(0, len(text), _PIECE)
    )


def ranks() -> dict[bytes, int]:
    """Return the vocabulary: each token's bytes and its rank.

    Raises:
        FileNotFoundError: the package was built without it.
        OSError: the file is not the one that was shipped.
    """
    packed = files("cascade").joinpath("data", "o200k_base.xz").read_bytes()
    if hashlib.sha256(packed).hexdigest() != _PACKED_SHA256:
        raise OSError("cascade/data/o200k_base.xz is damaged: install cascade-engine again")
    unpacked = lzma.decompress(packed)
    found, at = {}, _TOKENS
    for rank, length in enumerate(unpacked[:_TOKENS]):
        found[unpacked[at : at + length]] = rank
        at += length
    return found


_LOADING = threading.Lock()


def _vocabulary() -> tiktoken.Encoding | None:
    with _LOADING:  # `cache` alone would let every thread load it that comes before the first ends
        return _loaded()


@cache
def _loaded() -> tiktoken.Encoding | None:
    try:
        import tiktoken

        merges = ranks()
    except (ImportError, FileNotFoundError):  # no wheel for this platform, or built without ranks
        return None
    return tiktoken.Encoding(
        "o200k_base", pat_str=_PATTERN, mergeable_ranks=merges, special_tokens={}
    )


def _bytes(text: str) -> int:
    # JSON may carry half a surrogate pair, which UTF-8 proper cannot.
    return len(text.encode("utf-8", "surrogatepass"))


def _sum(request: Request, measure: Callable[[str], int], overhead: _Overhead) -> int:
    total = overhead.request + (overhead.tools if request.tools else 0)
    for message in request.messages:
        total += overhead.message + measure(message.text)
        for extra in (message.name, message.refusal, message.tool_call_id):
            total += measure(extra) if extra else 0
        for call in message.tool_calls:
            total += overhead.call + sum(map(measure, (call.id, call.name, call.arguments)))
    for tool in request.tools:
        total += overhead.schema + _schema(measure, tool.name, tool.description, tool.parameters)
    if (form := request.response_format) is not None:
        total += overhead.schema + _schema(measure, form.name, form.description, form.schema)
    return total


def _said(response: Response, measure: Callable[[str], int]) -> int:
    message = response.message
    total = sum(map(measure, (message.text, message.refusal or "", response.reasoning)))
    for call in message.tool_calls:
        total += _AT_MOST.call + measure(call.name) + measure(call.arguments)
    return total


def _schema(
    measure: Callable[[str], int], name: str | None, description: str | None, schema: bytes | None
) -> int:
    text = (schema or b"").decode("utf-8", "replace")
    return sum(map(measure, (name or "", description or "", text)))
