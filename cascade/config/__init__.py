"""Configuration: read what people typed, say what is wrong with it, compile it to frozen tables.

``read`` finds the file, ``schema`` says what may stand in it, ``compile`` makes the tables of
:mod:`cascade.types` from it. Pydantic is loaded when a configuration is read, not before.
"""
