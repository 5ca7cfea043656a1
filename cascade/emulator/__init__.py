"""Providers on loopback that answer from a recording.

The emulator speaks three protocols, whole and streamed: OpenAI's chat completions, Anthropic's
messages, Gemini's ``generateContent``; of each also the list of models, of the last two also the
count of a prompt's tokens. It knows exactly what its recording holds, and says so for the rest:

- A request is looked up by its whole conversation, under the model's recorded name; where rows
  of one conversation differ in their tools, by the names of the tools too. What the recording
  lacks gets a 404 that says what was looked for.
- Recorded log-probabilities are sent as they are. Where there is a mean only, a request that asks
  for them gets a flat sequence with that mean, one entry a token, the text spread evenly over
  them; some token texts are empty where there are fewer characters than tokens. Where no rivals
  were recorded, ``top_logprobs`` lists the token itself and nothing else. Where nothing was
  recorded, ``logprobs`` is null.
- Thoughts leave before the text, tool calls after it, their arguments in pieces. What was counted
  together (thoughts and text, text and calls) is shared out by characters.
- Where no tokens were recorded, no usage is sent, neither whole nor at the end of a stream.
- ``max_tokens`` below the recorded number of output tokens cuts the answer there, thoughts
  first, with finish reason ``length``. Other parameters change nothing: the recording is what it
  is.
- Latencies are the recorded ones, divided by the speed; speed 0 leaves them out. The time to the
  first token was not recorded, so a stream's tokens, thoughts among them, are spread evenly over
  the latency. An answer without a recorded latency comes at once.
- A provider's prompt cache is emulated on demand: see :mod:`cascade.emulator.prefix`.

What goes wrong on demand is told in :mod:`cascade.emulator.faults`, for example
``429=0.3, cut(at=0.5)=0.1; seed=7``; every fault is played in every protocol, whole and streamed.
A fault counts as a call. A call that fails before the provider works on it (``reset``, a status,
``html``, ``error-in-200``, ``garbage``) costs nothing; of the others the input is counted, and
the output that left. A whole answer of which anything left was produced whole and is counted
whole, and so is a stream that leaves at once (``trickle``, ``slow-headers`` and the faults of
length). A refused connection and a name that is not found happen before any server hears of
them: point an endpoint at one of the addresses that ``unreachable`` gives.
"""

from cascade.emulator.app import Emulator
from cascade.emulator.faults import KINDS, Faults, parse_faults
from cascade.emulator.prefix import PrefixCache
from cascade.emulator.process import emulate
from cascade.emulator.unreachable import unreachable

__all__ = [
    "KINDS",
    "Emulator",
    "Faults",
    "PrefixCache",
    "emulate",
    "parse_faults",
    "unreachable",
]
