"""From ``"PROVIDER/MODEL"`` to an endpoint: its provider, price and capabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cascade.config.claude import refused_by
from cascade.config.messages import Place, suggestion
from cascade.config.prices import Listed, look_up
from cascade.config.providers import ProviderMaker, Report, Resolved
from cascade.money import FREE, units_per_token
from cascade.types import Endpoint, Price

if TYPE_CHECKING:
    from cascade.config.schema import File, ModelTable, PriceTable


class EndpointMaker:
    """Makes the endpoints of one file, each once, and reports what it cannot make."""

    def __init__(self, file: File, providers: ProviderMaker, report: Report) -> None:
        self._file = file
        self._providers = providers
        self._report = report
        self._made: dict[str, Endpoint | None] = {}
        for name in file.models:
            provider = name.partition("/")[0]
            if provider not in providers.known:
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
        if provider_name not in self._providers.known:
            self._unknown_provider(path, name)
            return None
        provider = self._providers.make(provider_name)
        if provider is None:
            return None
        table = self._file.models.get(name)
        price = self._price(provider, model, table)
        self._check_cap(name, price.price)
        if table is not None and table.lacks is not None:
            lacks = frozenset(table.lacks)
        else:
            known = refused_by(model) if provider.protocol == "anthropic" else frozenset()
            lacks = provider.lacks | known
        return Endpoint(
            name=name,
            provider=provider_name,
            model=model,
            base_url=provider.base_url,
            protocol=provider.protocol,
            key_variables=provider.key_variables,
            key_header=provider.key_header,
            query=provider.query,
            proxy=provider.proxy,
            ca=provider.ca,
            headers=provider.headers,
            price=price.price,
            price_source=price.source,
            context=price.context,
            max_output=table.max_output if table else None,
            image_tokens=table.image_tokens if table else None,
            lacks=lacks | provider.never,
            limit_parameter=(table and table.limit_parameter) or provider.limit_parameter,
        )

    def _price(self, provider: Resolved, model: str, table: ModelTable | None) -> Listed:
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
        mend = suggestion(provider, self._providers.known)
        self._report(
            path,
            name,
            f"there is no provider named {provider}",
            f"{mend} Or describe it under [providers.{provider}].",
        )


def _configured(table: PriceTable) -> Price:
    def units(usd: float | None) -> int:
        return units_per_token(table.input if usd is None else usd)

    return Price(
        input=units(table.input),
        cached=units(table.cached),
        cache_write=units(table.cache_write),
        output=units(table.output),
    )
