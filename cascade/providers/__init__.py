"""The providers: one call is a codec, a transport and clocks."""
