"""What a provider may do that the emulator does not: a table of behaviours and what they are."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any, Final, Literal

import msgspec

from cascade.types import Kind
from tests.faults.odd import (
    TEXT,
    Asked,
    Play,
    chunked,
    closes,
    forever,
    http,
    sends,
    unframed,
)
