"""Providers on loopback that answer from a recording.

The emulator speaks OpenAI's protocol: whole and streamed chat completions, the list of models.
It knows exactly what its recording holds, and says so for the rest:

- A request is looked up by its system prompt and its one user turn, under the model's recorded
  name. What the recording lacks gets a 404 that says what was looked for.
- Recordings hold a mean log-probability only. A request that asks for log-probabilities gets a
  flat sequence with that mean, one entry a token, the text spread evenly over them; some token
  texts are empty where there are fewer characters than tokens. Rivals were not recorded, so
  ``top_logprobs`` lists the token itself and nothing else. Where no mean was recorded,
  ``logprobs`` is null.
- Where no tokens were recorded, no usage is sent, neither whole nor at the end of a stream.
- ``max_tokens`` below the recorded number of tokens cuts the answer there, with finish reason
  ``length``. Other parameters change nothing: the recording is what it is.
- Latencies are the recorded ones, divided by the speed; speed 0 leaves them out. The time to the
  first token was not recorded, so a stream's tokens are spread evenly over the latency. An answer
  without a recorded latency comes at once.
"""

from cascade.emulator.app import Emulator
from cascade.emulator.process import emulate

__all__ = ["Emulator", "emulate"]
