"""Where a URL leads: straight or by a proxy, and whom to trust on the way."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import NamedTuple

import httpx
from yarl import URL

from cascade.errors import ConfigError

MOST_ROUTES = 1000


class Route(NamedTuple):
    """Where a URL leads. ``ssl`` is the context for TLS, True where none is needed."""

    url: URL
    proxy: URL | None
    ssl: ssl.SSLContext | bool


class Routes:
    """Routes by URL, proxy and authorities, each worked out once.

    Args:
        proxies: addresses by scheme, ``all`` for any, ``no`` for the hosts reached straight.
        ssl_context: whom to trust; else ``SSL_CERT_FILE``, ``SSL_CERT_DIR``, or certifi's roots.
    """

    def __init__(self, proxies: Mapping[str, str], ssl_context: ssl.SSLContext | None) -> None:
        self._proxies, self._ssl_context = proxies, ssl_context
        self._ssl_contexts: dict[str, ssl.SSLContext] = {}
        self._routes: dict[tuple[str, str | None, str | None], Route] = {}

    def to(self, url: httpx.URL, proxy: str | None = None, ca: str | None = None) -> Route:
        """The route to a URL. A ``proxy`` of its own goes before the environment's, for every
        host; a file of authorities, ``ca``, takes the place of all others on this route.

        Raises:
            httpx.UnsupportedProtocol: the URL or its proxy is not HTTP.
            httpx.ConnectError: the file ``ca`` cannot be read.
            ConfigError: the environment's file of authorities cannot be read.
        """
        key = (str(url), proxy, ca)
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= MOST_ROUTES:
                self._routes.clear()
            route = self._routes[key] = self._resolve(*key)
        return route

    def _resolve(self, text: str, own_proxy: str | None, ca: str | None) -> Route:
        url = URL(text, encoded=True)
        if url.scheme not in {"http", "https"} or not url.raw_host:
            raise httpx.UnsupportedProtocol(f"{url.scheme or 'no scheme'}: only http and https")
        proxy = _proxy(url, self._proxies if own_proxy is None else {"all": own_proxy})
        trust: ssl.SSLContext | bool = True
        if url.scheme == "https" or (proxy is not None and proxy.scheme == "https"):
            trust = self._trust(ca)
        return Route(url.with_user(None), proxy, trust)

    def _trust(self, ca: str | None) -> ssl.SSLContext:
        if ca is None:
            self._ssl_context = self._ssl_context or _default_ssl_context()
            return self._ssl_context
        if ca not in self._ssl_contexts:
            self._ssl_contexts[ca] = _own_ssl_context(ca)
        return self._ssl_contexts[ca]


def _proxy(url: URL, proxies: Mapping[str, str]) -> URL | None:
    """The proxy for a URL. Raises ``UnsupportedProtocol`` for one that is not HTTP."""
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address or _is_exempt(url, proxies.get("no", "")):
        return None
    proxy = URL(address if "://" in address else f"http://{address}")
    if proxy.scheme not in {"http", "https"}:
        text = f"proxy {proxy.scheme}://{proxy.host}: want http:// or https://; or name the host"
        raise httpx.UnsupportedProtocol(f"{text} {url.host} in NO_PROXY")
    return proxy


def _is_exempt(url: URL, exempt: str) -> bool:
    """Whether ``NO_PROXY`` lists the host, with or without its port, or a domain above it."""
    names = {name.strip().lower().lstrip(".") for name in exempt.split(",")} - {""}
    host = (url.host or "").lower()
    addresses = (host, f"{host}:{url.port}")
    return "*" in names or any(a == n or a.endswith("." + n) for a in addresses for n in names)


def _default_ssl_context() -> ssl.SSLContext:
    try:
        context = httpx.create_ssl_context()
    except OSError as exc:
        name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        mend = "Name a readable PEM file or directory, or unset it."
        raise ConfigError(name, os.environ.get(name), f"cannot be loaded ({exc})", mend) from exc
    context.set_alpn_protocols(["http/1.1"])
    return context


def _own_ssl_context(ca: str) -> ssl.SSLContext:
    """Trust one file only. It was read with the configuration, so one that fails now was moved:
    the endpoint is out of reach, others need not be."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as exc:
        raise httpx.ConnectError(f"the authorities in {ca} cannot be read ({exc})") from None
    context.set_alpn_protocols(["http/1.1"])
    return context
