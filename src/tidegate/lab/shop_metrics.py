"""
What the demo shop counts of itself, and the page that shows it in OpenMetrics 1.0.

Written by hand and not by a client library, so that a member of the lab starts in a few milliseconds
and a request costs two additions.
"""

import os
from bisect import bisect_left
from pathlib import Path
from typing import Final

_STATM: Final = Path("/proc/self/statm")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

DURATION_BOUNDS_SECONDS: Final = (
    *(
        0.001,
        0.002,
        0.003,
        0.004,
        0.005,
        0.006,
        0.008,
        0.01,
        0.012,
        0.016,
        0.02,
        0.025,
        0.032,
        0.04,
    ),
    *(0.05, 0.064, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.32, 0.4, 0.5, 0.64, 1.0, 2.5, 5.0),
)
"""About 12 per decade where the shop's latency lies (median 8 ms): a fifth more shows at once."""


class ShopMetrics:
    """Counters of one process since it started."""

    def __init__(self, *, version: str, started_unix_seconds: float) -> None:
        self._version = version
        self._started = started_unix_seconds
        # Shown from the beginning, so that "no error yet" and "can't tell" look different.
        self.requests = {200: 0, 404: 0, 405: 0, 500: 0}
        self.orders = 0
        self.visits = {"/": 0, "/order": 0}
        self._buckets = [0] * (len(DURATION_BOUNDS_SECONDS) + 1)
        self._duration_sum = 0.0

    def answered(self, status: int, seconds: float) -> None:
        """Count one answered request and how long it took."""
        self.requests[status] = self.requests.get(status, 0) + 1
        self._buckets[bisect_left(DURATION_BOUNDS_SECONDS, seconds)] += 1
        self._duration_sum += seconds

    def page(self) -> bytes:
        """Return the page as it is now."""
        lines = [
            "# HELP demo_requests Answered requests by status.",
            "# TYPE demo_requests counter",
            *(f'demo_requests_total{{code="{code}"}} {n}' for code, n in self.requests.items()),
            "# HELP demo_orders Orders that were really placed.",
            "# TYPE demo_orders counter",
            f"demo_orders_total {self.orders}",
            "# HELP demo_visits Answered requests by the page that was asked for.",
            "# TYPE demo_visits counter",
            *(f'demo_visits_total{{page="{page}"}} {n}' for page, n in self.visits.items()),
            "# HELP demo_request_duration_seconds How long requests took to answer.",
            "# TYPE demo_request_duration_seconds histogram",
            "# UNIT demo_request_duration_seconds seconds",
            *self._histogram(),
            "# HELP process_start_time_seconds When this process started, in Unix time.",
            "# TYPE process_start_time_seconds gauge",
            "# UNIT process_start_time_seconds seconds",
            f"process_start_time_seconds {self._started:.3f}",
            "# HELP process_resident_memory_bytes Memory that this process holds.",
            "# TYPE process_resident_memory_bytes gauge",
            "# UNIT process_resident_memory_bytes bytes",
            f"process_resident_memory_bytes {_resident_bytes()}",
            "# HELP demo_version The version that this process serves.",
            "# TYPE demo_version info",
            f'demo_version_info{{version="{_escaped(self._version)}"}} 1',
            "# EOF",
        ]
        return ("\n".join(lines) + "\n").encode()

    def _histogram(self) -> list[str]:
        name = "demo_request_duration_seconds"
        lines: list[str] = []
        at_or_below = 0
        bounds = (*(str(bound) for bound in DURATION_BOUNDS_SECONDS), "+Inf")
        for bound, count in zip(bounds, self._buckets, strict=True):
            at_or_below += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {at_or_below}')
        lines.append(f"{name}_count {at_or_below}")
        lines.append(f"{name}_sum {self._duration_sum:.6f}")
        return lines


def _resident_bytes() -> int:
    return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
