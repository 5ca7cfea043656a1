"""From a provider's name to all that its endpoints share: address, protocol, key, headers, way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from cascade.config.catalogue import BEARER_VARIABLES, PROVIDERS, LimitParameter, Provider
from cascade.config.keys import set_variable
from cascade.config.messages import Place
from cascade.config.protocols import PROTOCOLS, refused
from cascade.types import KeyHeader, ProtocolName
from cascade.types.parameters import Lackable

if TYPE_CHECKING:
    from cascade.config.schema import File, ProviderTable

Report = Callable[[Place, object, str, str], None]
"""Takes a mistake: its place, the value there, the problem, the mend."""


class Resolved(msgspec.Struct, frozen=True):
    """A provider as this configuration has it.

    ``lacks`` holds unless ``[models]`` knows better, ``never`` whatever it says. ``proxy`` and
    ``ca`` are None where the environment decides.
    """

    base_url: str
    protocol: ProtocolName
    key_variables: tuple[str, ...]
    key_header: KeyHeader
    headers: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...]
    proxy: str | None
    ca: str | None
    lacks: frozenset[Lackable]
    never: frozenset[Lackable]
    prices: str | None
    limit_parameter: LimitParameter


class ProviderMaker:
    """Resolves the providers of one file, each once, and reports what it cannot resolve.

    ``known`` are the names that can be resolved at all.
    """

    def __init__(self, file: File, env: Mapping[str, str], folder: Path, report: Report) -> None:
        from cascade.config.schema import ProviderTable

        self.known = {*PROVIDERS, *file.providers}
        self._listed, self._unlisted = file.providers, ProviderTable()
        self._env, self._folder, self._report = env, folder, report
        self._made: dict[str, Resolved | None] = {}

    def make(self, name: str) -> Resolved | None:
        """Return the provider of a known name; None after a report."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Resolved | None:
        listed = self._listed.get(name, self._unlisted)
        own = Provider(base_url=None, protocol=listed.protocol or "openai")
        catalogued = PROVIDERS.get(name, own)
        protocol = listed.protocol or catalogued.protocol
        native = protocol == catalogued.protocol
        shared = PROTOCOLS[protocol]
        address = self._address(name, listed, catalogued)
        ca = self._authorities(name, listed)
        if address is None or (ca is None and listed.ca is not None):
            return None
        headers = dict(shared.headers)
        headers |= {header.lower(): value for header, value in listed.headers.items()}
        variables = _variables(listed, catalogued)
        usual = self._bearer(variables) or (native and catalogued.key_header) or shared.key_header
        return Resolved(
            base_url=address,
            protocol=protocol,
            key_variables=variables,
            key_header=listed.key_header or usual,
            headers=tuple(headers.items()),
            query=self._query(name, listed, catalogued, address),
            proxy=listed.proxy,
            ca=ca,
            lacks=_lacks(catalogued, protocol) | refused(protocol, headers),
            never=shared.lacks,
            prices=catalogued.prices,
            limit_parameter=catalogued.limit_parameter,
        )

    def _bearer(self, variables: tuple[str, ...]) -> KeyHeader | None:
        """The header of a bearer token, where the key that will be sent is one."""
        used = set_variable(variables, self._env) or next(iter(variables), None)
        return "authorization" if used in BEARER_VARIABLES else None

    def _address(self, name: str, listed: ProviderTable, catalogued: Provider) -> str | None:
        """The file's base URL, else the environment's, else the catalogue's: these two are for
        the vendor's own protocol."""
        if listed.base_url is not None:
            return listed.base_url
        if (listed.protocol or catalogued.protocol) == catalogued.protocol:
            return self._usual_address(name, catalogued)
        self._report(
            ("providers", name, "base_url"),
            None,
            f"it is missing, and {listed.protocol} is not spoken at {name}'s usual address",
            f'Add base_url = "https://…" under [providers.{name}], or take protocol out.',
        )
        return None

    def _usual_address(self, name: str, catalogued: Provider) -> str | None:
        from cascade.config.forms import base_url

        variable = catalogued.base_url_variable
        try:
            found = catalogued.resolved_base_url(self._env)
            if found is not None:
                return base_url(found)
        except ValueError as error:
            self._unusable_variable(variable, error)
            return None
        self._report(
            ("providers", name, "base_url"),
            None,
            "it is missing",
            f'Add base_url = "https://…/v1" under [providers.{name}]'
            + (f", or set ${variable}." if variable else "."),
        )
        return None

    def _query(
        self, name: str, listed: ProviderTable, catalogued: Provider, address: str
    ) -> tuple[tuple[str, str], ...]:
        """What goes behind every address: the API's version, as Azure has it."""
        protocol = listed.protocol or catalogued.protocol
        if listed.api_version is None:
            version = self._version_in_environment(catalogued, address)
        elif protocol == "openai":
            version = listed.api_version
        else:
            version = None
            self._report(
                ("providers", name, "api_version"),
                listed.api_version,
                f"the protocol {protocol} takes no version in its address",
                "Take it out; a version that goes as a header stands under headers.",
            )
        return (("api-version", version),) if version else ()

    def _version_in_environment(self, catalogued: Provider, address: str) -> str | None:
        from cascade.config.forms import api_version

        variable = catalogued.api_version_variable
        found = self._env.get(variable or "", "").strip()
        if not found or (found[0].isdigit() and not is_deployment(address)):
            return None  # a date is for deployments' addresses; /openai/v1 refuses it
        try:
            return api_version(found)
        except ValueError as error:
            self._unusable_variable(variable, error)
            return None

    def _authorities(self, name: str, listed: ProviderTable) -> str | None:
        """The file of authorities, by its whole path."""
        if listed.ca is None:
            return None
        path = (self._folder / listed.ca).absolute()
        if (wrong := _unusable(path)) is None:
            return str(path)
        mend = "Name a file of certificates in PEM; its path starts at the configuration's folder."
        self._report(("providers", name, "ca"), listed.ca, wrong, mend)
        return None

    def _unusable_variable(self, variable: str | None, error: ValueError) -> None:
        self._report((f"${variable}",), None, f"it cannot be used: {error}", "Mend or unset it.")


def is_deployment(address: str) -> bool:
    """Whether this is Azure's older kind of address, which names a deployment."""
    return "/openai/deployments/" in urlsplit(address).path


def _variables(listed: ProviderTable, catalogued: Provider) -> tuple[str, ...]:
    if listed.key is None:
        return catalogued.key_variables
    return () if listed.key == "none" else (listed.key.removeprefix("$"),)


def _lacks(catalogued: Provider, protocol: ProtocolName) -> frozenset[Lackable]:
    """What a vendor's models lack under its own protocol, or under another beside it."""
    if protocol == catalogued.protocol:
        return catalogued.lacks
    return catalogued.lacks_as_openai if protocol == "openai" else frozenset()


def _unusable(path: Path) -> str | None:
    """Why a file of authorities cannot be trusted; None where it can."""
    import ssl

    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        return "it holds no certificate that can be read"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None
