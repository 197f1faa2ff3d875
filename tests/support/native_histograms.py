"""
A native histogram as a process shows it to Prometheus: in its protobuf format, the only one that has them.

No client library for Python makes them, so the few fields are written by hand, after client_model's
metrics.proto.
"""

import math
import struct
from collections.abc import Iterable, Mapping

CONTENT_TYPE = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
HISTOGRAM = 4


class NativeHistogram:
    """Observations in buckets 2^(2^-schema) apart."""

    def __init__(self, name: str, *, schema: int) -> None:
        self.name = name
        self.schema = schema
        self.counts: dict[int, int] = {}
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        index = math.ceil(round(math.log2(value) * 2**self.schema, 9))
        self.counts[index] = self.counts.get(index, 0) + times
        self.sum += value * times

    def page(self, labels: Mapping[str, str]) -> bytes:
        metric = b"".join(
            _bytes(1, _bytes(1, name.encode()) + _bytes(2, value.encode()))
            for name, value in labels.items()
        )
        family = (
            _bytes(1, self.name.encode())
            + _number(3, HISTOGRAM)
            + _bytes(4, metric + _bytes(7, self._histogram()))
        )
        return _varint(len(family)) + family

    def _histogram(self) -> bytes:
        parts = [
            _number(1, sum(self.counts.values())),
            _varint(2 << 3 | 1) + struct.pack("<d", self.sum),
            _number(5, _zigzag(self.schema)),
            _varint(6 << 3 | 1) + struct.pack("<d", 2.0**-128),
            _number(7, 0),
        ]
        end, before = 0, 0
        spans, deltas = [], []
        for place, (index, count) in enumerate(sorted(self.counts.items())):
            offset = index if place == 0 else index - end
            spans.append(_bytes(12, _number(1, _zigzag(offset)) + _number(2, 1)))
            deltas.append(_number(13, _zigzag(count - before)))
            end, before = index + 1, count
        return b"".join([*parts, *spans, *deltas])


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | Iterable[int]) -> bytes:
    content = bytes(value)
    return _varint(field << 3 | 2) + _varint(len(content)) + content
