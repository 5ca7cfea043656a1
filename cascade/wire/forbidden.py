"""What a 403 refuses: everybody who comes with this key, or just this prompt.

The first closes an endpoint for all, so it takes words that say so. Firewalls and moderators send
the same status, often as a page of HTML: these blame nobody.
"""

from __future__ import annotations

import re

from cascade.types import Kind
from cascade.wire.error_body import ErrorBody

__all__ = ["forbidden"]

_PROMPT = re.compile(r"\b(?:moderat\w+|content (?:policy|policies|filter\w*)|safety|flagged)\b")
_MONEY = re.compile(
    r"\b(?:billing|unpaid|payments?|balance|credits?|quota|budget|spend|spending|arrears)\b"
)
_ACCESS = re.compile(
    r"\b(?:keys?|credentials?|(?:access|auth|bearer|invalid|expired) token|permission\w*"
    r"|accessdenied\w*|(?:have|has|no) access|authenti\w+|authori[sz]\w+|unauth\w+"
    r"|accounts?|organi[sz]ations?|projects?|workspaces?|subscriptions?|licen[cs]es?"
    r"|regions?|country|countries|territor\w+|locations?|ip address\w*)\b"
)


def forbidden(error: ErrorBody) -> Kind:
    """Tell what a 403 means that no code and no words of its own explain."""
    message = error.message.lower()
    said = " ".join((*error.labels, message)).replace("_", " ")
    if _PROMPT.search(message):
        return Kind.FILTERED
    if _MONEY.search(said):
        return Kind.QUOTA
    return Kind.AUTH if _ACCESS.search(said) else Kind.FILTERED
