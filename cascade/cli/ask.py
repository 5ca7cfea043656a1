"""``cascade ask``: one question, one answer, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascade.cli.options import AsJson, ConfigFile, read_tables
from cascade.cli.output import print_json, print_text, say

if TYPE_CHECKING:
    from cascade.types import Answer, Request, Tables


def ask(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="The question; - reads it from standard input.")
    ],
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="A system prompt.")] = None,
    ladder: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another ladder than default.")
    ] = None,
    quality: Annotated[
        str | None,
        typer.Option(metavar="auto|best|cheapest", help="Where to start, and what to accept."),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(metavar="USD", help="The most that all calls together may cost.")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="The most it may take.")
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Ask anew, and keep the new answer.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Ask one question."""
    import asyncio

    tables = read_tables(config)
    options: dict[str, Any] = {
        "system": system,
        "ladder": ladder,
        "quality": _number_or_name(quality),
        "max_cost": max_cost,
        "deadline": deadline,
        "cache": "refresh" if no_cache else None,
    }
    request = _request(_read(text), options)
    answer = asyncio.run(_ask(tables, request, stream=not as_json))
    if as_json:
        print_json(as_object(answer))
    say(answer.story())


async def _ask(tables: Tables, request: Request, *, stream: bool) -> Answer:
    """Get the answer; as a stream it is printed as it comes."""
    from cascade.client import AsyncCascade

    async with AsyncCascade(tables=tables) as ai:
        if not stream:
            return await ai.complete(request)
        ended = True
        try:
            async with ai.stream(request) as pieces:
                async for piece in pieces:
                    print_text(piece)
                    ended = piece.endswith("\n")
        finally:
            if not ended:
                print_text("\n")
        return pieces.answer


def _request(text: str, options: dict[str, Any]) -> Request:
    from cascade.client.asking import Options, to_request

    given: Any = {name: value for name, value in options.items() if value is not None}
    wanted: Options = given
    return to_request(text, wanted)


def _read(text: str) -> str:
    """The question itself; ``-`` stands for standard input."""
    if text != "-":
        return text
    import sys

    from cascade.errors import RequestError

    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise RequestError(
            "standard input", None, f"byte {error.start} is not UTF-8", "Send it as UTF-8."
        ) from None


def _number_or_name(quality: str | None) -> str | float | None:
    """A number is passed on as one, so that the refusal can say what it lacks."""
    try:
        return None if quality is None else float(quality)
    except ValueError:
        return quality


def as_object(answer: Answer) -> dict[str, Any]:
    """The answer as ``--json`` prints it: US dollars and seconds, null where not measured."""
    from msgspec.structs import asdict

    from cascade.client.account import account

    told = account(answer)
    attempts = told.pop("attempts")
    usage = None if answer.usage is None else asdict(answer.usage)
    return {"text": answer.text, **told, "usage": usage, "attempts": attempts}
