"""
Why the library refuses a bundle, in words that somebody can act upon.

Rule: nothing is decided here. The library's words are matched by parts of them; one that says it
differently, in another version, is a refusal all the same, told as the library told it.
"""

import struct
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import (
    DuplicateExtension,
    ExtensionNotFound,
    InvalidVersion,
    UnsupportedGeneralNameType,
)
from sigstore.errors import Error, MetadataError

from tidegate.drivers.gate.checks import Check, RefusedError
from tidegate.drivers.gate.submitted import UnreadableError, quoted

STUMBLES: Final = (
    Error,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    OSError,
    RecursionError,
    struct.error,
    UnsupportedAlgorithm,
    DuplicateExtension,
    ExtensionNotFound,
    InvalidVersion,
    UnsupportedGeneralNameType,
)
"""All that the library raises for what strangers write; a certificate's parser has errors of its own."""

_REASONS: Final = (
    ("exactly one log entry", Check.BUNDLE, "it must have exactly one log entry"),
    (
        "must contain inclusion proof",
        Check.BUNDLE,
        "it has no proof that a log holds its signature",
    ),
    (
        "not enough sources of verified time",
        Check.TIME,
        "neither a log nor an authority of the trusted root proves when it was signed",
    ),
    ("no Timestamp Authorities", Check.TIME, "the trusted root has no authority for its timestamp"),
    ("Invalid Timestamp Response", Check.TIME, "its timestamp can't be read"),
    ("Integrated time only supported", Check.TIME, "its kind of log entry doesn't prove a time"),
    ("timestamp found", Check.TIME, "it has a timestamp twice"),
    ("too many signed timestamp", Check.TIME, "it has too many timestamps"),
    (
        "failed to build timestamp certificate chain",
        Check.CERTIFICATE,
        "its certificate isn't from an authority of the trusted root",
    ),
    ("Key usage is not", Check.CERTIFICATE, "its certificate isn't for signing"),
    ("Extended usage does not", Check.CERTIFICATE, "its certificate isn't for signing code"),
    (
        "failed to verify SCT",
        Check.CERTIFICATE_LOG,
        "no log of certificates in the trusted root has its certificate",
    ),
    ("inclusion proof", Check.LOG, "the proof that a log holds its signature doesn't add up"),
    ("Inclusion proof", Check.LOG, "the log's checkpoint is about another state of the log"),
    ("checkpoint", Check.LOG, "the checkpoint isn't signed by a log of the trusted root"),
    ("note must contain", Check.LOG, "the log's checkpoint can't be read"),
    ("malformed", Check.LOG, "the log's checkpoint can't be read"),
    (
        "SET: invalid",
        Check.LOG,
        "the time of its log entry isn't signed by a log of the trusted root",
    ),
    ("DSSE: invalid signature", Check.SIGNATURES, "its signature isn't by its certificate"),
    ("Signature is invalid", Check.SIGNATURES, "its signature isn't by its certificate"),
    ("Bundle message digest", Check.SIGNATURES, "its signature is over other bytes"),
    ("payload hash", Check.LOG_ENTRY, "the log holds the signature of another statement"),
    ("log entry signatures do not", Check.LOG_ENTRY, "the log holds another signature"),
    ("entry is inconsistent", Check.LOG_ENTRY, "the log holds another signature"),
    ("DSSE log entry", Check.LOG_ENTRY, "its kind of log entry isn't one for statements"),
    ("Expected entry type", Check.LOG_ENTRY, "its kind of log entry isn't one for bytes"),
    ("log entry version", Check.BUNDLE, "its log entry is of a version that isn't known"),
    (
        "must contain an inclusion promise",
        Check.TIME,
        "neither a log nor an authority of the trusted root proves when it was signed",
    ),
    ("exactly one signature", Check.BUNDLE, "its envelope must have exactly one signature"),
    ("exactly 1 signature", Check.BUNDLE, "its envelope must have exactly one signature"),
    ("recursion", Check.BUNDLE, "it is nested too deeply"),
    ("error parsing asn1", Check.CERTIFICATE, "its certificate can't be read"),
    ("expected certificate", Check.BUNDLE, "it has no certificate where its version has it"),
    ("leaf", Check.CERTIFICATE, "its certificate is that of an authority"),
)
"""What the library says, by a part of it, and what we say. Whatever isn't here is refused all the same."""

_NOT_AS_SPECIFIED: Final = "failed to load bundle: 1 validation error for Bundle\n"


def refusal(error: Exception, check: Check = Check.CERTIFICATE) -> RefusedError | UnreadableError:
    """Return the refusal for what the library raised; *check* is for what it has no words for."""
    if isinstance(error, MetadataError):
        return UnreadableError(f"the trusted root of this gate can't be used: {quoted(error, 200)}")
    said = str(error)
    for part, of_check, because in _REASONS:
        if part in said:
            return RefusedError(of_check, because)
    if _NOT_AS_SPECIFIED in said:
        # The library's own text goes on with all that was written.
        where = quoted(said.splitlines()[1])
        return RefusedError(Check.BUNDLE, f"the bundle isn't as its version says, at {where}")
    return RefusedError(check, f"the bundle can't be verified: {quoted(said, 200)}")
