"""Protocols, both directions, as pure functions of bytes: no clock, no I/O, no randomness."""
