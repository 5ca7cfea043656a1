"""From ``"PROVIDER/MODEL"`` to an endpoint: address, key variables, price, capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from cascade.config.catalogue import PROVIDERS, Provider
from cascade.config.messages import Place, suggestion
from cascade.config.prices import Listed, look_up
from cascade.money import FREE, units_per_token
from cascade.types import Endpoint, Price

if TYPE_CHECKING:
    from cascade.config.schema import File, ModelTable, PriceTable

Report = Callable[[Place, object, str, str], None]
"""Takes a mistake: its place, the value there, the problem, the mend."""


class EndpointMaker:
    """Makes the endpoints of one file, each once, and reports what it cannot make."""

    def __init__(self, file: File, env: Mapping[str, str], report: Report) -> None:
        self._file = file
        self._env = env
        self._report = report
        self._known = {*PROVIDERS, *file.providers}
        self._made: dict[str, Endpoint | None] = {}
        self._addresses: dict[str, str | None] = {}
        for name in file.models:
            provider = name.partition("/")[0]
            if provider not in self._known:
                self._unknown_provider(("models", name), name)

    def make(self, name: str, path: Place) -> Endpoint | None:
        """Return the endpoint of a model; None after a report. ``path`` is where it was named."""
        if name not in self._made:
            self._made[name] = self._make(name, path)
        return self._made[name]

    def _make(self, name: str, path: Place) -> Endpoint | None:
        provider_name, _, model = name.partition("/")
        if not provider_name or not model or any(map(str.isspace, name)):
            self._report(path, name, "this is no model", 'A model is named "PROVIDER/MODEL".')
            return None
        if provider_name not in self._known:
            self._unknown_provider(path, name)
            return None
        provider = self._provider(provider_name)
        address = self._address(provider_name, provider)
        if address is None:
            return None
        listed = self._file.providers.get(provider_name)
        table = self._file.models.get(name)
        price = self._price(provider, model, table)
        self._check_cap(name, price.price)
        lacks = provider.lacks if table is None or table.lacks is None else frozenset(table.lacks)
        return Endpoint(
            name=name,
            provider=provider_name,
            model=model,
            base_url=address,
            key_variables=provider.key_variables,
            headers=tuple(listed.headers.items()) if listed else (),
            price=price.price,
            price_source=price.source,
            context=price.context,
            max_output=table.max_output if table else None,
            image_tokens=table.image_tokens if table else None,
            lacks=lacks,
            limit_parameter=(table and table.limit_parameter) or provider.limit_parameter,
        )

    def _provider(self, name: str) -> Provider:
        """The catalogue's entry with what the file says differently."""
        provider = PROVIDERS.get(name, Provider(base_url=None))
        listed = self._file.providers.get(name)
        if listed is None:
            return provider
        if listed.base_url is not None:  # the file goes before the environment
            provider = msgspec.structs.replace(
                provider, base_url=listed.base_url, base_url_variable=None
            )
        if listed.key is not None:
            variables = () if listed.key == "none" else (listed.key.removeprefix("$"),)
            provider = msgspec.structs.replace(provider, key_variables=variables)
        return provider

    def _price(self, provider: Provider, model: str, table: ModelTable | None) -> Listed:
        context = table.context if table else None
        if table is not None and table.price is not None:
            if table.price == "free":
                return Listed(FREE, context, "configuration")
            return Listed(_configured(table.price), context, "configuration")
        if provider.prices is None:
            return Listed(context=context)
        listed = look_up(provider.prices, model, context)
        return msgspec.structs.replace(listed, context=context or listed.context)

    def _check_cap(self, name: str, price: Price | None) -> None:
        cap = self._file.decide.max_cost
        if price is None and cap is not None:
            self._report(
                ("models", name, "price"),
                None,
                f"its price is unknown, and [decide] max_cost = {cap:g} needs it",
                f'Add [models."{name}"] price = {{ input = …, output = … }} in US dollars per '
                'million tokens, or price = "free" for your own machine.',
            )

    def _unknown_provider(self, path: Place, name: str) -> None:
        provider = name.partition("/")[0]
        self._report(
            path,
            name,
            f"there is no provider named {provider}",
            f"{suggestion(provider, self._known)} Or describe it under [providers.{provider}].",
        )

    def _address(self, name: str, provider: Provider) -> str | None:
        if name not in self._addresses:
            self._addresses[name] = self._find_address(name, provider)
        return self._addresses[name]

    def _find_address(self, name: str, provider: Provider) -> str | None:
        from cascade.config.forms import base_url

        variable = provider.base_url_variable
        try:
            found = provider.resolved_base_url(self._env)
            if found is not None:
                return base_url(found)
        except ValueError as error:
            self._report(
                (f"${variable}",), None, f"it cannot be used: {error}", "Mend or unset it."
            )
            return None
        self._report(
            ("providers", name, "base_url"),
            None,
            "it is missing",
            f'Add base_url = "https://…/v1" under [providers.{name}]'
            + (f", or set ${variable}." if variable else "."),
        )
        return None


def _configured(table: PriceTable) -> Price:
    def units(usd: float | None) -> int:
        return units_per_token(table.input if usd is None else usd)

    return Price(
        input=units(table.input),
        cached=units(table.cached),
        cache_write=units(table.cache_write),
        output=units(table.output),
    )
