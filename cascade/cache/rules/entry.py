"""What is kept of an accepted answer, and the bytes it is kept as.

The bytes are a magic word with the format's version, a keyed checksum, and MessagePack. The
checksum covers the row's key too: an entry that was moved to another row, cut or changed by
anyone without the secret is damaged, and damaged is a miss.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from cascade.types import Basis, Complexity, Evidence, Response

FORMAT: Final = 2
"""The version of keys and entries. Any change of meaning in either raises it."""

_MAGIC: Final = b"csc" + bytes([FORMAT])
_CHECKSUM: Final = 16
_HEAD: Final = len(_MAGIC) + _CHECKSUM


class DamagedEntry(Exception):
    """The bytes are no entry of this key: damaged, tampered with, or of another version."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """An accepted answer with what a later request needs to judge it.

    ``model`` and ``endpoint`` name who answered; ``cost`` is what the answering request cost, in
    money units, None where a price was unknown. Times are unix seconds.
    """

    response: Response
    rung: str
    endpoint: str
    model: str
    basis: Basis
    complexity: Complexity
    stored_at: float
    expires_at: float
    evidence: Evidence = Evidence()
    confidence: float | None = None
    cost: int | None = None
    tags: tuple[str, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


class Codec:
    """Turns entries into bytes and back, under one secret."""

    def __init__(self, secret: bytes) -> None:
        self._hash = hashlib.blake2b(key=secret, digest_size=_CHECKSUM, person=b"cascade entry")

    def encode(self, key: str, entry: Entry) -> bytes:
        """Return the bytes to keep under this key.

        Raises:
            UnicodeEncodeError: a text holds half a surrogate pair.
            OverflowError: a number has more than 64 bits.
        """
        payload = _encoder.encode(entry)
        return _MAGIC + self._checksum(key, payload) + payload

    def decode(self, key: str, data: bytes) -> Entry:
        """Return the entry that was kept under this key.

        Raises:
            DamagedEntry: these bytes were not written by ``encode`` for this key.
        """
        if data[: len(_MAGIC)] != _MAGIC:
            raise DamagedEntry("not an entry, or one of another version")
        payload = data[_HEAD:]
        # A plain comparison will do: who can put bytes here and time a miss holds the file anyway.
        if data[len(_MAGIC) : _HEAD] != self._checksum(key, payload):
            raise DamagedEntry("the checksum does not fit")
        try:
            return _decoder.decode(payload)
        except msgspec.MsgspecError as error:
            raise DamagedEntry(f"the content does not fit: {error}") from error

    def _checksum(self, key: str, payload: bytes) -> bytes:
        # All keys that are ever asked for have one length, so the two parts cannot run together.
        digest = self._hash.copy()
        digest.update(key.encode("utf-8", "surrogatepass"))
        digest.update(payload)
        return digest.digest()
