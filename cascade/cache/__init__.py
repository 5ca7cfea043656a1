"""The response cache: what may be kept (``rules``) and where (``disk``)."""
