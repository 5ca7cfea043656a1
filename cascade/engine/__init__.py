"""The engine: it performs what the machine asks for, and tells it what happened."""
