"""
What routes have in common: reading the service that a request is about.

A request carries the resolved document, or names a service whose latest document the server keeps.
Paths in a document are never opened here; that is the drivers' business.
"""

import json
from collections.abc import Mapping
from typing import Final

from tidegate.documents.service_file import ResolvedService, from_canonical
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
from tidegate.usecases.outside import Outside, unknown_service

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


def resolved_service(outside: Outside, service: Mapping[str, object] | str) -> ResolvedService:
    """
    Return the service that *service* is, or names.

    Raises:
        InvalidDocumentError: it isn't a resolved document.
        NotFoundError: no service has that name.
    """
    if not isinstance(service, str):
        return from_canonical(dict(service))
    with outside.store.begin(read_only=True) as transaction:
        record = transaction.service(ServiceName(service))
    if record is None:
        raise unknown_service(ServiceName(service))
    return from_canonical(json.loads(record.canonical_json))
