"""What single values look like in ``config.toml``, and what is said of those that do not.

Messages about addresses, headers and keys never repeat what was written: it may be a secret.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from cascade.checks.accept import parse_rule
from cascade.checks.schema import check_pattern
from cascade.config.quantities import duration, size

PATTERN_LIMIT = 1_000
SECRET_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"})
_URL_LIKE = 'a base URL looks like "https://example.com/v1"'
_PROXY_LIKE = 'a proxy looks like "http://proxy.example.com:3128"'
_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")


def _rule(text: str) -> str:
    parse_rule(text)
    return text


def _pattern(text: str) -> str:
    if (wrong := check_pattern(text)) is not None:
        raise ValueError(wrong)
    return text


def _model_name(text: str) -> str:
    provider, slash, model = text.partition("/")
    if not (provider and slash and model) or any(map(str.isspace, text)):
        raise ValueError('a model is named "PROVIDER/MODEL"')
    return text


def _key(text: str) -> str:
    if text != "none" and not _VARIABLE.fullmatch(text):
        raise ValueError(
            'a key never stands in the file: write the name of its variable, such as "$MY_API_KEY"'
            ', or "none"'
        )
    return text


def base_url(text: str) -> str:
    """Return a base URL without its last slash.

    Raises:
        ValueError: it is no HTTP address, or holds more than one; the message never repeats it.
    """
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that does not close
        raise ValueError(_URL_LIKE) from None
    if not sound or any(map(str.isspace, text)):
        raise ValueError(_URL_LIKE)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "a base URL holds no user name, password, query or fragment; Azure's version stands "
            "in api_version"
        )
    return text.rstrip("/")


def api_version(text: str) -> str:
    """Return a version as it goes into an address.

    Raises:
        ValueError: it is none; the message never repeats it.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,31}", text):
        raise ValueError('a version looks like "2024-10-21" or "preview"')
    return text


def _proxy(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(_PROXY_LIKE) from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "a proxy's name and password never stand in the file; $HTTPS_PROXY may hold them"
        )
    if not sound or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(_PROXY_LIKE)
    if any(map(str.isspace, text)):
        raise ValueError(_PROXY_LIKE)
    return text.rstrip("/")


def _path(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError('a path looks like "certificates/company.pem"')
    return text


def _hedge(value: object) -> float | str:
    try:
        return "learned" if value == "learned" else duration(value)
    except ValueError as error:
        raise ValueError(f'{error}; or "learned"') from None


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in SECRET_HEADERS:
            raise ValueError(f"{name} would hold a key, and keys never stand in the file")
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError("a header's name has letters, digits and dashes only")
        if not value.isprintable() or not value.isascii():
            raise ValueError(f"the value of {name} is not printable ASCII")
    return headers


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError('an address looks like "127.0.0.1:8700"')
    return text


Seconds = Annotated[float, BeforeValidator(duration)]
Hedge = Annotated[float | Literal["learned"], BeforeValidator(_hedge)]
Bytes = Annotated[int, BeforeValidator(size)]
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=1)]
BaseUrl = Annotated[str, AfterValidator(base_url)]
ApiVersion = Annotated[str, AfterValidator(api_version)]
ProxyUrl = Annotated[str, AfterValidator(_proxy)]
CaPath = Annotated[str, AfterValidator(_path)]
ModelName = Annotated[str, AfterValidator(_model_name)]
ToolName = Annotated[str, StringConstraints(min_length=1)]
RungName = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Rule = Annotated[str, AfterValidator(_rule)]
Pattern = Annotated[str, Field(max_length=PATTERN_LIMIT), AfterValidator(_pattern)]
KeyName = Annotated[str, AfterValidator(_key)]
Headers = Annotated[dict[str, str], AfterValidator(_headers)]
Address = Annotated[str, AfterValidator(_listen)]
