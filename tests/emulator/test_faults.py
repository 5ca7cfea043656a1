"""Every fault does what its name says, in every protocol, whole and streamed, and is counted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cascade.emulator import KINDS, Emulator
from cascade.types import ProtocolName
from cascade.wire.failures import CallFailure
from tests.emulator.asking import PROTOCOLS, TEXT, Heard, ask, connect, delivered, request, rivers
from tests.serving import running

TOLD = {
    "trickle": "(every=0)",
    "slow-headers": "(every=0)",
    "slow-first-token": "(seconds=0)",
    "cut": "(at=0.5)",
    "early-end": "(at=0.5)",
    "truncated": "(at=0.5)",
}
DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
# A model for each fault, one more to count it by, and some for other parameters: one server.
SPECS = {
    **{name: name + TOLD.get(name, "") for name in KINDS},
    **{f"counted-{name}": name + TOLD.get(name, "") for name in KINDS},
    "counted-whole-cut": "cut(at=0.5)",
    "patient-trickle": "trickle(every=600)",
    "patient-slow-headers": "slow-headers(every=600)",
    "patient-slow-first-token": "slow-first-token(seconds=600)",
    "dated": f"503(retry-after={DATE})",
    "half": "503(retry-after=0.5)",
}
FREE = {"reset", "429", "429-retry-after", "500", "503", "529", "html", "error-in-200", "garbage"}
HANGS = {"hang", "hang-after-headers"}
RIGHT = {
    "trickle", "slow-first-token", "slow-headers", "duplicate-length", "missing-length",
    "wrong-model",
}  # fmt: skip

both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
everywhere = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    spec = ",".join(f"{model}/{fault}=1" for model, fault in SPECS.items())
    with running(Emulator(rivers(*SPECS), 0, faults=spec)) as address:
        yield address


def hear(url: str, model: str, protocol: ProtocolName, stream: bool, **more: Any) -> Heard:
    return ask(url, *request(protocol, stream, model), **more)


def counted(url: str, model: str) -> dict[str, int]:
    counts: dict[str, int] = delivered(url)["by_model"][model]
    return counts


@pytest.mark.parametrize("name", [name for name in KINDS if name not in HANGS])
def test_each_fault_is_counted_by_its_name_and_costs_what_was_produced(url: str, name: str) -> None:
    before = delivered(url)["faults"][name]
    for protocol in PROTOCOLS:
        for stream in (False, True):
            hear(url, f"counted-{name}", protocol, stream)
    counts = counted(url, f"counted-{name}")
    assert delivered(url)["faults"][name] == before + 6
    assert (counts["calls"], counts["disconnected"]) == (6, 0)
    assert counts["input_tokens"] == (0 if name in FREE else 6 * 21)
    if name in RIGHT:
        assert counts["output_tokens"] == 6 * 10
    elif name in FREE or name == "empty":
        assert counts["output_tokens"] == 0


@pytest.mark.parametrize("name", sorted(HANGS))
def test_a_hang_lasts_until_the_client_leaves(url: str, name: str) -> None:
    until = b"\r\n\r\n" if name == "hang-after-headers" else b""
    for protocol in PROTOCOLS:
        for stream in (False, True):
            patience = 30 if until else 0.05
            heard = hear(url, name, protocol, stream, patience=patience, until=until)
            assert (heard.end, heard.body) == ("waiting", b"")
            assert bool(heard.head) == bool(until)
    limit = time.monotonic() + 30
    while (counts := counted(url, name))["disconnected"] < 6:
        assert time.monotonic() < limit, counts
        time.sleep(0.005)  # between two looks, not for luck
    assert (counts["calls"], counts["input_tokens"], counts["output_tokens"]) == (6, 6 * 21, 0)


@everywhere
@both
def test_a_reset_is_a_reset_before_any_byte(url: str, protocol: ProtocolName, stream: bool) -> None:
    heard = hear(url, "reset", protocol, stream)
    assert (heard.end, heard.head, heard.body) == ("reset", b"", b"")


@pytest.mark.parametrize("name", ["429", "429-retry-after", "500", "503", "529"])
@everywhere
@both
def test_a_status_has_an_error_body_of_the_protocol(
    url: str, name: str, protocol: ProtocolName, stream: bool
) -> None:
    heard = hear(url, name, protocol, stream)
    assert heard.status == int(name[:3])
    assert heard.clean
    assert b'"error"' in heard.body
    assert (b"retry-after: 1\r\n" in heard.head) == (name == "429-retry-after")


def test_a_retry_after_may_be_told_seconds_or_a_date(url: str) -> None:
    for model, told in (("half", "0.5"), ("dated", DATE)):
        heard = hear(url, model, "openai", False)
        assert f"retry-after: {told}\r\n".encode() in heard.head


@pytest.mark.parametrize("name", sorted(RIGHT - {"duplicate-length"}))
@everywhere
@both
def test_an_answer_that_is_only_slow_or_oddly_framed_is_the_right_one(
    url: str, name: str, protocol: ProtocolName, stream: bool
) -> None:
    heard = hear(url, name, protocol, stream)
    response = heard.response(protocol, stream)
    assert heard.clean
    assert response.message.text == TEXT
    assert (response.model == name) == (name != "wrong-model")


@everywhere
@both
def test_trickled_bytes_and_headers_come_one_by_one(
    url: str, protocol: ProtocolName, stream: bool
) -> None:
    heard = hear(url, "patient-slow-headers", protocol, stream, patience=0.1)
    assert (heard.end, heard.head, heard.body) == ("waiting", b"H", b"")
    heard = hear(url, "patient-trickle", protocol, stream, patience=0.1)
    assert (heard.end, len(heard.content)) == ("waiting", 1)


@everywhere
@both
def test_a_slow_first_token_comes_after_the_headers_of_a_stream(
    url: str, protocol: ProtocolName, stream: bool
) -> None:
    patience, until = (30, b"\r\n\r\n") if stream else (0.05, b"")
    model = "patient-slow-first-token"
    heard = hear(url, model, protocol, stream, patience=patience, until=until)
    assert (heard.end, heard.body) == ("waiting", b"")
    assert (heard.head != b"") == stream


@everywhere
@both
def test_a_cut_answer_ends_with_its_connection_before_its_end(
    url: str, protocol: ProtocolName, stream: bool
) -> None:
    heard = hear(url, "cut", protocol, stream)
    assert heard.end == "end"
    assert not heard.clean
    assert heard.content
    if stream:
        assert heard.read(protocol).partial().message.text == TEXT[: len(TEXT) // 2 + 1]


def test_a_cut_stream_costs_what_left_and_a_cut_whole_answer_all_of_it(url: str) -> None:
    hear(url, "counted-whole-cut", "openai", stream=True)
    assert counted(url, "counted-whole-cut")["output_tokens"] == 5
    hear(url, "counted-whole-cut", "openai", stream=False)
    assert counted(url, "counted-whole-cut")["output_tokens"] == 5 + 10


@everywhere
def test_a_stream_that_ends_early_ends_clean_and_has_no_finish(
    url: str, protocol: ProtocolName
) -> None:
    heard = hear(url, "early-end", protocol, stream=True)
    reader = heard.read(protocol)
    assert heard.clean
    assert not reader.complete
    assert 0 < len(reader.partial().message.text) < len(TEXT)


@everywhere
def test_a_whole_answer_that_ends_early_is_empty_and_says_no_reason(
    url: str,
    protocol: ProtocolName,
) -> None:
    heard = hear(url, "early-end", protocol, stream=False)
    assert heard.clean
    assert TEXT.encode() not in heard.content
    for reason in (b'"stop"', b'"end_turn"', b'"STOP"', b'"length"', b'"max_tokens"'):
        assert reason not in heard.content


@everywhere
@both
def test_malformed_and_empty_answers_and_errors_inside_a_200_cannot_be_read(
    url: str, protocol: ProtocolName, stream: bool
) -> None:
    for name in ("malformed", "error-in-200"):
        heard = hear(url, name, protocol, stream)
        assert heard.status == 200
        assert heard.clean
        with pytest.raises(CallFailure):
            heard.response(protocol, stream)


@everywhere
@both
def test_an_empty_answer_holds_no_choices(url: str, protocol: ProtocolName, stream: bool) -> None:
    heard = hear(url, "empty", protocol, stream)
    assert heard.status == 200
    assert heard.clean
    assert TEXT.encode() not in heard.content
    with contextlib.suppress(CallFailure):
        assert heard.response(protocol, stream).message.text == ""


@everywhere
@both
def test_a_truncated_answer_says_length_and_costs_what_it_holds(
    url: str, protocol: ProtocolName, stream: bool
) -> None:
    response = hear(url, "truncated", protocol, stream).response(protocol, stream)
    if response.usage is not None:
        assert response.usage.output_tokens == 5
    assert response.finish_reason == "length"
    assert TEXT.startswith(response.message.text)
    assert 0 < len(response.message.text) < len(TEXT)


@everywhere
@both
def test_a_page_and_garbage_are_no_answers(url: str, protocol: ProtocolName, stream: bool) -> None:
    page = hear(url, "html", protocol, stream)
    assert page.status == 200
    assert b"content-type: text/html" in page.head
    assert not hear(url, "garbage", protocol, stream).head.startswith(b"HTTP")


@everywhere
@both
def test_a_duplicate_length_is_two_lengths(url: str, protocol: ProtocolName, stream: bool) -> None:
    heard = hear(url, "duplicate-length", protocol, stream)
    assert heard.head.count(b"content-length: ") == 2


def test_a_missing_length_is_none_and_no_chunks_either(url: str) -> None:
    heard = hear(url, "missing-length", "openai", stream=True)
    assert b"content-length" not in heard.head
    assert b"chunked" not in heard.head


def test_the_same_seed_fails_the_same_calls_again() -> None:
    def statuses(spec: str) -> list[int]:
        with running(Emulator(rivers("small"), 0, faults=spec)) as url:
            return [hear(url, "small", "openai", False).status for _ in range(40)]

    first = statuses("429=0.3,500=0.2;seed=7")
    assert set(first) == {200, 429, 500}
    assert statuses("429=0.3,500=0.2;seed=7") == first
    assert statuses("429=0.3,500=0.2;seed=8") != first


def test_a_fault_of_one_model_leaves_the_others_alone_and_what_was_not_recorded_meets_none() -> (
    None
):
    with running(Emulator(rivers("small", "large"), 0, faults="small/503=1")) as url:
        missing = request("anthropic", False, "small", prompt="Nobody asked")
        assert ask(url, *missing).status == 404
        assert (delivered(url)["faults"], delivered(url)["calls"]) == ({"503": 0}, 0)
        assert hear(url, "small", "openai", False).status == 503
        assert hear(url, "large", "openai", False).status == 200


def test_a_hang_ends_when_the_emulator_does() -> None:
    with running(Emulator(rivers("small"), 0, faults="hang=1")) as url:
        connection = connect(url, *request("openai", False))
        limit = time.monotonic() + 30
        while counted(url, "small")["calls"] < 1:
            assert time.monotonic() < limit
            time.sleep(0.005)  # between two looks, not for luck
    with connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
