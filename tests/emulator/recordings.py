"""Small recordings for the emulator's tests."""

from __future__ import annotations

from cascade.learning.trace import RecordedAnswer, Recording, Row

SMALL = Recording(
    [
        Row(
            prompt="Which rivers meet in Koblenz?",
            system="Answer briefly.",
            answers={
                "measured": RecordedAnswer(
                    text="The Rhine and the Moselle.",
                    input_tokens=21,
                    output_tokens=8,
                    mean_logprob=-0.0625,
                ),
                "letter": RecordedAnswer(
                    text="B", input_tokens=21, output_tokens=3, mean_logprob=-0.5
                ),
                "bare": RecordedAnswer(text="Rhine and  Moselle.\n"),
                "words": RecordedAnswer(text="Rhine and Moselle.", mean_logprob=-1.25),
                "silent": RecordedAnswer(text="", input_tokens=21, output_tokens=0),
                "impossible": RecordedAnswer(
                    text="No.", input_tokens=21, output_tokens=2, mean_logprob=float("-inf")
                ),
            },
        ),
        Row(prompt="No system here.", answers={"measured": RecordedAnswer(text="None.")}),
    ]
)


def taking(seconds: float, *, tokens: int = 100) -> Recording:
    """A recording whose one answer took so long."""
    answer = RecordedAnswer(
        text="x" * tokens, input_tokens=5, output_tokens=tokens, latency_s=seconds
    )
    return Recording([Row(prompt="wait", answers={"slow": answer})])
