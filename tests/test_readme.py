"""Every command and snippet of the README runs, against an emulated provider."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cascade.config.read import load
from cascade.emulator import Emulator
from cascade.learning.trace import RecordedAnswer, Recording, Row
from tests.serving import running

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ANSWER = "The Rhine and the Moselle meet in Koblenz."


def blocks(language: str) -> list[str]:
    """The README's fenced blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    models = ("gpt-5.6-luna", "gpt-5.6-sol")
    recorded = RecordedAnswer(text=ANSWER, input_tokens=14, output_tokens=12)
    questions = ("Which rivers meet in Koblenz?", "Tell me more about them.")
    rows = tuple(Row(question, dict.fromkeys(models, recorded)) for question in questions)
    with running(Emulator(Recording(rows), speed=0)) as url:
        yield url


@pytest.fixture
def environment(provider: str, tmp_path: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CASCADE_", "OPENAI_"))}
    return {
        **kept,
        "OPENAI_API_KEY": "test-key",
        "OPENAI_BASE_URL": f"{provider}/v1",
        "CASCADE_DATA": str(tmp_path / "data"),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def run(command: list[str], environment: dict[str, str], directory: Path) -> str:
    done = subprocess.run(
        command,
        env=environment,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    (tmp_path / "config.toml").write_text(blocks("toml")[0])
    process = subprocess.Popen(
        [sys.executable, "-m", "cascade", "serve", "--port", "0"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def test_the_figure_is_the_one_that_the_demo_prints(
    environment: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "cascade", "demo", "--json", "--speed", "0"]
    figures = json.loads(run(command, environment, tmp_path))
    cost, always = figures["cost_usd"], figures["always_strongest_usd"]
    saved = f"{figures['saved_share']:.0%}".replace("%", " %")
    assert f"{figures['requests']} requests" in README
    assert f"**${cost:.4f} instead of ${always:.4f}, {saved} less**" in README


def test_the_library_snippet_answers_and_streams(
    environment: dict[str, str], tmp_path: Path
) -> None:
    out = run([sys.executable, "-c", blocks("python")[0]], environment, tmp_path)
    assert out.count(ANSWER) == 2
    assert "it cost $" in out


def test_the_way_without_a_key_gets_an_answer(environment: dict[str, str], tmp_path: Path) -> None:
    text = next(block for block in blocks("console") if "cascade emulate" in block)
    emulate, export, ask = [line.removeprefix("$ ") for line in text.strip().splitlines()]
    words = shlex.split(emulate.removesuffix("&"))
    assert words[:2] == ["cascade", "emulate"]
    port_free = [*words[2:-1], "0", "--speed", "0"]
    emulator = subprocess.Popen(
        [sys.executable, "-m", "cascade", "emulate", *port_free],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert emulator.stdout is not None
    try:
        url = json.loads(emulator.stdout.readline())["url"]
        variable, file = export.removeprefix("export ").split("=")
        config = tmp_path / "config.toml"
        config.write_text((ROOT / file).read_text().replace("http://127.0.0.1:8791", url))
        command = [sys.executable, "-m", *shlex.split(ask)]
        assert "Koblenz" in run(command, {**environment, variable: str(config)}, ROOT)
    finally:
        emulator.terminate()
        emulator.wait(timeout=30)
        emulator.stdout.close()


def test_the_curl_command_gets_an_answer(
    server: str, environment: dict[str, str], tmp_path: Path
) -> None:
    text = next(block for block in blocks("console") if "curl" in block)
    command = re.search(r"\$ (curl .*)", text, flags=re.DOTALL)
    assert command is not None
    words = shlex.split(command[1].replace("\\\n", " ").replace("http://127.0.0.1:8700", server))
    answer = json.loads(run(words, environment, tmp_path))
    assert answer["choices"][0]["message"]["content"] == ANSWER


def test_the_openai_client_snippet_gets_an_answer(
    server: str, environment: dict[str, str], tmp_path: Path
) -> None:
    code = blocks("python")[1].replace("http://127.0.0.1:8700", server)
    assert run([sys.executable, "-c", code], environment, tmp_path).strip() == ANSWER


@pytest.mark.parametrize("block", blocks("toml"))
def test_every_configuration_can_be_read(block: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(block)
    assert "default" in load(path, {}).ladders


def test_the_make_targets_exist() -> None:
    targets = re.findall(r"make (demo|test|laws|mutants|bench)\b", README)
    assert {"demo", "test"} <= set(targets)
    makefile = (ROOT / "Makefile").read_text()
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_every_cascade_command_in_the_readme_exists(environment: dict[str, str]) -> None:
    commands = set(re.findall(r"cascade (init|ask|check|demo|warm|serve|emulate|cache)\b", README))
    shown = run([sys.executable, "-m", "cascade", "--help"], environment, ROOT)
    assert {"init", "demo", "serve", "check", "emulate"} <= commands
    for command in commands:
        assert re.search(rf"^\s+{command}\s", shown, flags=re.MULTILINE), command


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
