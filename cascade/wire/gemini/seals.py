"""Thought signatures on this protocol's wire.

To Google go its own only. To a client every signature must be base64: another provider's travels
packed, and comes back whole.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from cascade.types import Thought
from cascade.wire.seals import GOOGLES, is_googles

__all__ = ["UNCHECKED", "for_client", "for_google", "read_signature", "read_thought"]

UNCHECKED = "skip_thought_signature_validator"
"""Google's word for a call that another model made, where a signature is demanded."""

_PACKED = b"cascade:"
_REDACTED = b"cascade-redacted:"
_STANDARD = str.maketrans("-_", "+/")


def for_google(thought: Thought) -> str | None:
    """Return the signature to send to Google; None where it is not Google's."""
    signature = thought.signature
    if signature is None or not is_googles(signature):
        return None
    return signature.removeprefix(GOOGLES)


def for_client(thought: Thought) -> str | None:
    """Return the signature to send to a client; None where there is nothing to bring back."""
    if thought.redacted is not None:
        return b64encode(_REDACTED + thought.redacted.encode()).decode()
    if thought.signature is None:
        return None
    own = for_google(thought)
    if own is not None and _unpacked(own) is not None:
        return own
    return b64encode(_PACKED + thought.signature.encode()).decode()


def read_signature(wire: str | None) -> str | None:
    """Read the signature of a call; None where there is none."""
    return None if not wire else read_thought(wire, "").signature


def read_thought(wire: str, text: str) -> Thought:
    """Read what a signature on the wire says of a thought with this text."""
    # Google's own client sends back in base64's other alphabet what it took in the standard one.
    plain = wire.translate(_STANDARD)
    if plain == UNCHECKED.translate(_STANDARD):
        return Thought(text)
    packed = _unpacked(plain) or b""
    if packed.startswith(_PACKED):
        return Thought(text, packed[len(_PACKED) :].decode("utf-8", "replace"))
    if packed.startswith(_REDACTED):
        return Thought(redacted=packed[len(_REDACTED) :].decode("utf-8", "replace"))
    return Thought(text, GOOGLES + plain)


def _unpacked(wire: str) -> bytes | None:
    """What base64 holds; None where it is none."""
    try:
        return b64decode(wire, validate=True)
    except ValueError:
        return None
