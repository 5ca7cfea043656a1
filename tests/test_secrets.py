"""A provider's key goes to that provider, and nowhere else."""

from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cascade import AsyncCascade, CascadeError, ConfigError
from cascade.config.keys import missing_keys
from tests.engine.scripted import (
    Exchange,
    Script,
    dies,
    fails,
    garbles,
    hangs,
    provider,
    says,
)
from tests.engine.setting import STRONG, Step, tables

pytestmark = pytest.mark.anyio

KEY = "sk-live-3b9f27c1d0a84e55b6f2-Q7"
QUESTION = "Which rivers meet in Koblenz?"
ENV = {"ONE_KEY": KEY}
ROOT = Path(__file__).resolve().parents[1]


async def echoes_the_key(exchange: Exchange) -> None:
    """What a careless proxy does."""
    sent = exchange.received.headers["authorization"]
    error = {"message": f"invalid header: {sent}", "code": sent, "type": sent, "param": sent}
    exchange.whole(json.dumps({"error": error}).encode(), 401, {"X-Echo": sent})


async def echoes_it_in_a_stream(exchange: Exchange) -> None:
    sent = exchange.received.headers["authorization"]
    if not exchange.received.streamed:
        exchange.whole(json.dumps({"error": {"message": sent, "code": sent}}).encode())
        return
    exchange.head()
    exchange.event({"error": {"message": f"bad key {sent}", "code": 401}})
    exchange.last_chunk()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def everything_in(value: Any, depth: int = 6) -> str:
    """Reprs and texts of an object and of what it holds."""
    if depth == 0 or isinstance(value, str | bytes | int | float | type(None)):
        return repr(value)
    parts = [repr(value), str(value)]
    held = [each for name, each in getattr(value, "__dict__", {}).items() if name != "_environ"]
    if isinstance(value, list | tuple | set | frozenset):
        held += value
    if isinstance(value, dict):
        held += [*value.keys(), *value.values()]
    return "\n".join([*parts, *(repr(each) for each in held)])


def files_under(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())


SCRIPTS = [
    says(),
    says("perhaps", logprob=-3.0),
    fails(401, f"Incorrect API key provided: {KEY}. You can find yours in the console."),
    fails(400, f"header Authorization: Bearer {KEY} is odd"),
    fails(500, KEY),
    echoes_the_key,
    echoes_it_in_a_stream,
    garbles(KEY.encode()),
    garbles(b'{"choices": "' + KEY.encode() + b'"}'),
    dies(),
    hangs(),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("script", SCRIPTS)
async def test_the_key_is_sent_and_appears_nowhere(
    tmp_path: Path,
    script: Script,
    stream: bool,
    log: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    step = Step("strong", accept=None, timeout={"total": 0.2}, settings={"calls": 1})
    seen = []
    async with provider() as one:
        one.on("strong", script)
        settings = tables(one.url, tmp_path, (step,), cache={}, key="$ONE_KEY", env=ENV)
        async with AsyncCascade(tables=settings, data_dir=tmp_path, environ=ENV) as ai:
            try:
                if stream:
                    async with ai.stream(QUESTION) as pieces:
                        async for _ in pieces:
                            pass
                    answer = pieces.answer
                else:
                    answer = await ai.complete(QUESTION)
                seen += [answer, answer.story(), answer.attempts]
            except CascadeError as error:
                seen += [error, "".join(traceback.format_exception(error)), error.__dict__]
                seen += [_with_locals(error)]
            engine = await ai.open()
            seen += [ai, ai.tables, ai.totals, engine]
    assert one.calls[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(one.calls[0].body)
    told = "\n".join(map(everything_in, seen))
    assert KEY not in told
    assert KEY not in log.text
    assert KEY not in "".join(str(record.__dict__) for record in log.records)
    assert KEY.encode() not in files_under(tmp_path)
    assert KEY not in "".join(capfd.readouterr())


def _with_locals(error: BaseException) -> str:
    """A traceback with local variables, as crash reporters send it, of our callers' frames only:
    reprs of our own objects must be safe even there."""
    found = []
    frame = error.__traceback__
    while frame is not None:
        for name, value in frame.tb_frame.f_locals.items():
            if name not in ("KEY", "ENV", "script", "SCRIPTS", "one", "environ", "error"):
                found.append(repr(value))
        frame = frame.tb_next
    return "\n".join(found)


async def test_a_vendors_key_goes_to_that_vendor_only(tmp_path: Path) -> None:
    steps = (Step("small", endpoints=("one/small", "two/small-b")), STRONG)
    async with provider() as first, provider() as second:
        tables(first.url, tmp_path, steps, key="$ONE_KEY", env=ENV)
        file = tmp_path / "config.toml"
        text = file.read_text().replace(
            f'[providers.two]\nbase_url = "{first.url}"\nkey = "$ONE_KEY"',
            f'[providers.two]\nbase_url = "{second.url}"\nkey = "$TWO_KEY"',
        )
        file.write_text(text)
        environ = {**ENV, "TWO_KEY": "two-key-0987654321"}
        first.on("small", fails(503))
        async with AsyncCascade.from_config(file, data_dir=tmp_path, environ=environ) as ai:
            answer = await ai.complete(QUESTION)
    assert answer.endpoint == "two/small-b"
    assert first.calls[0].headers["authorization"] == f"Bearer {KEY}"
    assert second.calls[0].headers["authorization"] == "Bearer two-key-0987654321"


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with provider() as one, provider() as thief:
        one.on("strong", fails(307, headers={"Location": f"{thief.url}/chat/completions"}))
        settings = tables(one.url, tmp_path, (STRONG,), key="$ONE_KEY", env=ENV)
        async with AsyncCascade(tables=settings, data_dir=tmp_path, environ=ENV) as ai:
            with pytest.raises(CascadeError):
                await ai.complete(QUESTION)
        assert thief.calls == []


async def test_what_can_be_pickled_holds_no_key(tmp_path: Path) -> None:
    async with provider() as one:
        settings = tables(one.url, tmp_path, (STRONG,), key="$ONE_KEY", env=ENV)
        async with AsyncCascade(tables=settings, data_dir=tmp_path, environ=ENV) as ai:
            answer = await ai.complete(QUESTION)
    assert KEY.encode() not in pickle.dumps(settings)
    assert KEY.encode() not in pickle.dumps(answer)


def test_a_missing_key_names_its_variable_and_no_other_value(tmp_path: Path) -> None:
    tables("http://127.0.0.1:9/v1", tmp_path, (STRONG,), key="$OTHER_KEY", env=ENV)
    program = (
        "import sys; from cascade import Cascade\n"
        "with Cascade.from_config(sys.argv[1], data_dir=sys.argv[2]) as ai: ai.complete('a')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "config.toml"), str(tmp_path)],
        cwd=ROOT,
        env={"PATH": "", "ONE_KEY": KEY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "$OTHER_KEY is not set" in done.stderr
    assert "export OTHER_KEY" in done.stderr
    assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "pasted", [f"{KEY}\u200b", f"{KEY}\n{KEY}", f"\u201c{KEY}\u201d", f"{KEY}\x00"]
)
async def test_a_key_that_cannot_be_sent_names_its_variable_and_is_not_shown(
    tmp_path: Path, pasted: str
) -> None:
    environ = {"ONE_KEY": pasted}
    async with provider() as one:
        settings = tables(one.url, tmp_path, (STRONG,), key="$ONE_KEY", env=environ)
        async with AsyncCascade(tables=settings, data_dir=tmp_path, environ=environ) as ai:
            with pytest.raises(ConfigError, match=r"\$ONE_KEY holds a character") as caught:
                await ai.complete(QUESTION)
        assert one.calls == []
    told = "".join(traceback.format_exception(caught.value)) + str(caught.value.__dict__)
    assert KEY not in told
    (mistake,) = missing_keys(settings, environ)
    assert str(mistake) == str(caught.value)
