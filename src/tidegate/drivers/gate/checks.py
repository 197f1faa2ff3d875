"""
The checks of what was signed, in their order, and the one way to fail one of them.

Rule: a reason says what is so and not only what isn't, in words that somebody can act upon.
"""

from enum import IntEnum


class Check(IntEnum):
    """The checks of what was signed, in their order."""

    PAYLOAD_TYPE = 1
    BUNDLE = 2
    TIME = 3
    CERTIFICATE = 4
    CERTIFICATE_LOG = 5
    IDENTITY = 6
    LOG = 7
    SIGNATURES = 8
    LOG_ENTRY = 9
    STATEMENT_TYPE = 10
    SUBJECT = 11
    PREDICATE_TYPE = 12
    BUILDER = 13
    BUILD_TYPE = 14
    SOURCE = 15
    PARAMETERS = 16
    FRESHNESS = 17
    LEVEL = 18


class RefusedError(Exception):
    """What was signed fails a check."""

    def __init__(self, check: Check, because: str) -> None:
        super().__init__(because)
        self.check = check
        self.because = because
