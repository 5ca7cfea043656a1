"""What is asked: a system prompt and a turn of some 900 characters, as a small application asks."""

from __future__ import annotations

SYSTEM = "Answer in one short sentence, without ornament."

_TURN = """Read the paragraph and answer the question below it.

Koblenz lies at a point that the Romans called Confluentes, the place of flowing together. Barges
pass it day and night; the larger of the two rivers comes from the Alps by way of Basel and Mainz,
the smaller one winds down from the Vosges past Trier, between steep slopes of slate on which
vines have been grown for two thousand years. A statue of an emperor on horseback looks over the
tip of land between them; a cable car crosses to the fortress on the far bank. In spring, when the
snow melts in the mountains, the water may rise by several metres, and the old town puts up its
walls of aluminium planks. Schoolchildren learn the names of both rivers in their third year, and
most of them have seen how the waters, one brown and one green, keep apart for a while.

Which two rivers meet there? ({})"""


def turn(number: int | str) -> str:
    """The turn of that number."""
    return _TURN.format(number)
