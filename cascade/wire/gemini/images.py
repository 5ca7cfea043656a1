"""Images: ``data:`` URLs and addresses inside, inline and file data on the wire."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from cascade.errors import RequestError, UnsupportedParameter
from cascade.types import Image

__all__ = ["file_image", "image_part", "inline_image"]

_KINDS = {  # by the end of a file's name
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "avif": "image/avif",
}
_DATA = re.compile(r"(?i:data):(?P<kind>[^;,]+)(?:;[^;,]*)*;(?i:base64),(?P<data>.*)", re.DOTALL)
_STANDARD = str.maketrans("-_", "+/")
_GOOGLES = re.compile(r"https://(?:generativelanguage\.googleapis\.com|[^/]*youtu\.?be)\b")
_FOR_ALL = "Send an image's https: address, or the image itself as inlineData"


def image_part(place: str, image: Image) -> dict[str, Any]:
    """Write an image as a part.

    Raises:
        RequestError: a ``data:`` URL that is not in base64.
    """
    if image.url[:5].lower() != "data:":
        file = {"fileUri": image.url}
        end = urlsplit(image.url).path.rpartition(".")[2].lower()
        return {"fileData": {"mimeType": _KINDS[end], **file} if end in _KINDS else file}
    found = _DATA.fullmatch(image.url)
    if found is None:
        mend = "Send it as data:image/…;base64,…"
        raise RequestError(place, image.url, "Gemini takes images in base64 only", mend)
    return {"inlineData": {"mimeType": found["kind"], "data": found["data"]}}


def inline_image(place: str, kind: str, data: str) -> Image:
    """Read inline data as an image, in base64's standard alphabet.

    Raises:
        UnsupportedParameter: it is no image.
    """
    _check_kind(place, kind)
    return Image(f"data:{kind};base64,{data.translate(_STANDARD)}")


def file_image(place: str, kind: str | None, uri: str) -> Image:
    """Read file data as an image.

    Raises:
        UnsupportedParameter: it is no image.
        RequestError: no other provider could fetch it.
    """
    if kind:
        _check_kind(place, kind)
    plain = uri.lower()
    if not plain.startswith(("https://", "http://")):
        raise RequestError(f"{place}.fileUri", uri, "it is no address of an image", _FOR_ALL)
    if _GOOGLES.match(plain):
        raise RequestError(f"{place}.fileUri", uri, "only Google can read it", _FOR_ALL)
    return Image(uri)


def _check_kind(place: str, kind: str) -> None:
    if not kind.startswith("image/"):
        problem = "cascade does not support it"
        mend = "cascade handles text and images. Send it as one of them, or leave it out"
        raise UnsupportedParameter(f"{place}.mimeType", kind, problem, mend)
