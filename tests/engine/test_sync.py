"""The same face without ``async``."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cascade import Answer, Cascade, CascadeError, Failed, RequestError
from cascade.errors import Closed
from tests.engine.scripted import Provider, fails, hangs, provider_in_thread, says
from tests.engine.setting import BOUND, LADDER, STRONG, Step, tables

QUESTION = "Which rivers meet in Koblenz?"
ALONE = (STRONG,)
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def opened(
    one: Provider, directory: Path, steps: tuple[Step, ...] = LADDER, **options: Any
) -> Iterator[Cascade]:
    with Cascade(tables=tables(one.url, directory, steps, **options), data_dir=directory) as ai:
        yield ai


def wait(condition: Any) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.002)


def test_it_completes_and_remembers(tmp_path: Path) -> None:
    with provider_in_thread() as one, opened(one, tmp_path, cache={}) as ai:
        first, second = ai.complete(QUESTION), ai.complete(QUESTION)
        assert (first.cache, second.cache) == ("miss", "exact")
        assert first.text == second.text == "fine"
        assert ai.totals.by_cache == {"miss": 1, "exact": 1}
    assert len(one.calls) == 1
    assert ai.totals.spent == first.cost


def test_it_climbs(tmp_path: Path) -> None:
    with provider_in_thread() as one, opened(one, tmp_path) as ai:
        one.on("small", says("perhaps", logprob=-3.0))
        assert ai.complete(QUESTION).rung == "strong"


def test_errors_are_the_same(tmp_path: Path) -> None:
    with provider_in_thread() as one, opened(one, tmp_path, ALONE) as ai:
        one.on("strong", fails(401))
        with pytest.raises(Failed, match="auth"):
            ai.complete(QUESTION)
        with pytest.raises(RequestError, match="empty"):
            ai.complete("")
        with pytest.raises(RequestError, match="Did you mean max_cost"):
            ai.complete(QUESTION, max_costs=1.0)  # type: ignore[call-arg]


def test_a_stream_is_read_as_it_comes(tmp_path: Path) -> None:
    with provider_in_thread() as one, opened(one, tmp_path, ALONE) as ai:
        one.on("strong", says(["a ", "b ", "c"], gap=0.03))
        with ai.stream(QUESTION) as stream:
            pieces = iter(stream)
            assert next(pieces) == "a "
            assert not one.calls[0].finished
            with pytest.raises(CascadeError, match="read it to its end"):
                _ = stream.answer
            assert list(pieces) == ["b ", "c"]
        assert stream.answer.text == "a b c"
        assert stream.answer.cost == 140_000_000


@pytest.mark.parametrize("how", ["break", "raise"])
def test_leaving_a_stream_stops_the_call(tmp_path: Path, how: str) -> None:
    with provider_in_thread() as one, opened(one, tmp_path, ALONE) as ai:
        one.on("strong", hangs(10_000, gap=0.005))
        try:
            with ai.stream(QUESTION) as stream:
                for _ in stream:
                    if how == "break":
                        break
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        left = time.monotonic()
        wait(lambda: one.calls[0].left_early)
        print(f"upstream closed {((one.calls[0].closed_at or 0) - left) * 1e3:.1f} ms later")
        wait(lambda: ai.totals.by_outcome["cancelled"] == 1)
        assert ai.totals.spent > 0


def test_map_keeps_the_order_and_may_be_left(tmp_path: Path) -> None:
    with provider_in_thread() as one, opened(one, tmp_path, ALONE) as ai:
        found = list(ai.map(map(str, range(10)), concurrency=4))
        assert [isinstance(each, Answer) for each in found] == [True] * 10
        one.on("strong", says(), hangs())
        for _ in ai.map(map(str, range(10)), concurrency=4):
            break
        wait(
            lambda: ai.totals.by_outcome["cancelled"] == 4 or ai.totals.by_outcome["cancelled"] == 3
        )
        one.on("strong", fails(401))
        errors = list(ai.map(["a", "b"], return_errors=True))
        assert all(isinstance(each, Failed) for each in errors)
        with pytest.raises(Failed):
            list(ai.map(["a"]))


def test_questions_may_be_made_of_answers(tmp_path: Path) -> None:
    with provider_in_thread() as one, opened(one, tmp_path, ALONE, cache={}) as ai:
        first = ai.map(["one", "two", "three"], concurrency=2)
        second = list(ai.map((f"shorten: {answer}" for answer in first), concurrency=2))
        assert list(map(str, second)) == ["fine"] * 3

        def conversation() -> Iterator[str]:
            said = "begin"
            for _ in range(3):
                said = str(ai.complete(f"and then? {said}", cache="off"))
                yield said

        assert len(list(ai.map(conversation()))) == 3


def test_reading_a_question_holds_up_nobody_else(tmp_path: Path) -> None:
    with provider_in_thread() as one, opened(one, tmp_path, ALONE) as ai:
        reading, go_on = threading.Event(), threading.Event()
        where: list[threading.Thread] = []

        def slow() -> Iterator[str]:
            where.append(threading.current_thread())
            reading.set()
            assert go_on.wait(5)
            yield "late"

        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.extend(ai.map(slow())))
        thread.start()
        assert reading.wait(5)
        assert str(ai.complete(QUESTION)) == "fine"
        go_on.set()
        thread.join(5)
        assert [str(each) for each in found] == ["fine"]
        assert where == [thread]


def test_a_map_takes_no_more_than_it_needs_and_ends_with_its_source(tmp_path: Path) -> None:
    taken = []

    def questions() -> Iterator[str]:
        for number in range(1000):
            taken.append(number)
            yield str(number)

    def broken() -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    with provider_in_thread() as one, opened(one, tmp_path, ALONE) as ai:
        for _ in ai.map(questions(), concurrency=4):
            break
        assert len(taken) <= 5
        with pytest.raises(ZeroDivisionError):
            list(ai.map(broken()))
        with pytest.raises(ValueError, match="give at least 1"):
            next(ai.map(["a"], concurrency=0))


def test_waiting_on_the_thread_that_makes_the_calls_is_an_error(tmp_path: Path) -> None:
    found: list[CascadeError] = []

    class Careless(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            for use in (lambda: ai.complete("another"), lambda: list(ai.map(["a"])), ai.close):
                try:
                    use()
                except CascadeError as error:
                    found.append(error)
            return httpx.Response(500)

    settings = tables("http://127.0.0.1:9/v1", tmp_path, (Step("strong", settings={"calls": 1}),))
    with (
        Cascade(tables=settings, data_dir=tmp_path, transport=Careless()) as ai,
        pytest.raises(Failed),
    ):
        ai.complete(QUESTION)
    assert len(found) == 3
    assert "Use AsyncCascade" in str(found[0])
    assert "cannot close itself" in str(found[2])


def test_many_threads_share_it(tmp_path: Path) -> None:
    with provider_in_thread() as one, opened(one, tmp_path, ALONE, cache={}) as ai:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda n: ai.complete(f"question {n % 40}"), range(400)))
        assert len(answers) == 400
        assert len(one.calls) == 40
        assert ai.totals.by_rung["strong"] == 400
        assert sum(ai.totals.by_cache.values()) == 400
        assert sum(answer.cost or 0 for answer in answers) == ai.totals.spent == 40 * 140_000_000


def test_after_closing_everything_says_so(tmp_path: Path) -> None:
    with provider_in_thread() as one, opened(one, tmp_path, ALONE, cache={}) as ai:
        ai.complete(QUESTION)
        stream = ai.stream("another")
        ai.close()
        ai.close()
        for use in (
            lambda: ai.complete(QUESTION),
            lambda: ai.complete("another"),
            lambda: next(ai.map(["a"])),
            stream.__enter__,
        ):
            with pytest.raises(Closed, match="Make a new one"):
                use()
    assert ai.totals.calls == 1


def test_closing_inside_a_stream_hides_no_error(tmp_path: Path) -> None:
    with provider_in_thread() as one, opened(one, tmp_path, ALONE) as ai:
        one.on("strong", hangs(10_000, gap=0.005))

        def close_and_fail() -> None:
            with ai.stream(QUESTION) as stream:
                for _ in stream:
                    ai.close()
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            close_and_fail()
        wait(lambda: not one.open)


def test_closing_frees_threads_that_wait(tmp_path: Path) -> None:
    found: list[BaseException] = []

    def ask(question: str) -> None:
        try:
            ai.complete(question)
        except CascadeError as error:
            found.append(error)

    with provider_in_thread() as one, opened(one, tmp_path, ALONE, cache={}) as ai:
        one.on("strong", hangs())
        threads = [threading.Thread(target=ask, args=(f"q{n % 2}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        wait(lambda: len(one.calls) == 2)
        ai.close()
        for thread in threads:
            thread.join(5)
            assert not thread.is_alive()
    assert [type(error) for error in found] == [Closed] * 6


def test_no_thread_is_left(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with provider_in_thread() as one:
        with opened(one, tmp_path, ALONE, cache={}) as ai:
            ai.complete(QUESTION)
        assert {t for t in set(threading.enumerate()) - before if t.name != "provider"} == set()


_INTERRUPTED = """
import sys
from cascade import Cascade

def complete():
    ai.complete("a")

def fill():
    list(ai.map("abc", concurrency=3))

def stream():
    with ai.stream("a") as pieces:
        for _ in pieces:
            pass

with Cascade.from_config(sys.argv[1], data_dir=sys.argv[2], environ={}) as ai:
    try:
        globals()[sys.argv[3]]()
    except KeyboardInterrupt:
        ai.close()
        print("interrupted", ai.totals.by_outcome["cancelled"], ai.totals.spent > 0)
"""


@pytest.mark.parametrize(
    ("work", "script", "calls"),
    [
        ("complete", hangs(), 1),
        ("fill", hangs(), 3),
        ("stream", hangs(10_000, gap=0.01), 1),
        ("stream", hangs(), 1),
    ],
    ids=["complete", "map", "stream", "silent stream"],
)
def test_ctrl_c_stops_the_call_and_records_its_bill(
    tmp_path: Path, work: str, script: Any, calls: int
) -> None:
    with provider_in_thread() as one:
        one.on("strong", script)
        tables(one.url, tmp_path, ALONE)
        command = [sys.executable, "-c", _INTERRUPTED, str(tmp_path / "config.toml")]
        command += [str(tmp_path), work]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                wait(lambda: len(one.calls) == calls)
                time.sleep(0.05)  # into the wait itself
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=BOUND)
            finally:
                process.kill()
        assert err == ""
        assert out.split() == ["interrupted", str(calls), "True"]
        assert process.returncode == 0
        wait(lambda: all(call.left_early for call in one.calls))
