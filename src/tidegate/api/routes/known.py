"""
What routes have in common: reading the service that a request is about.

A request carries the resolved document, or names a service whose latest document the server keeps.
Paths in a document are never opened here; that is the drivers' business.
"""

import json
from collections.abc import Mapping
from typing import Final

from tidegate.documents.service_file import ResolvedService, from_canonical
from tidegate.domain.access.model import Caller
from tidegate.domain.quantities import ServiceName
from tidegate.errors import (
    InvalidDocumentError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StoreError,
    TidegateError,
    TrafficError,
    VersionNotFoundError,
    WorkloadError,
)
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import readable_service

PROPOSING: Final[tuple[type[TidegateError], ...]] = (
    InvalidDocumentError,
    InvalidRequestError,
    NotFoundError,
    VersionNotFoundError,
    RefusedError,
    WorkloadError,
    TrafficError,
    StoreError,
)
"""What can go wrong before anything is started."""


def resolved_service(
    outside: Outside, caller: Caller, service: Mapping[str, object] | str
) -> ResolvedService:
    """
    Return the service that *service* is, or names.

    Raises:
        InvalidDocumentError: it isn't a resolved document.
        NotFoundError: no service has that name, as far as *caller* may know.
    """
    if not isinstance(service, str):
        return from_canonical(dict(service))
    record = readable_service(outside, caller, ServiceName(service))
    return from_canonical(json.loads(record.canonical_json))
