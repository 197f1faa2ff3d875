"""A service's page of metrics whose requests carry a zone and a client, and that shows how full it is."""

from dataclasses import dataclass, field

from tidegate.lab.shop_metrics import CONTENT_TYPE

__all__ = ["CONTENT_TYPE", "LabelledMetrics"]

Labels = tuple[str, str]


@dataclass
class LabelledMetrics:
    """Counters of one process by (zone, client); `waiting` is a gauge, `lag` the target's number."""

    good: dict[Labels, int] = field(default_factory=dict)
    bad: dict[Labels, int] = field(default_factory=dict)
    waiting: float = 0.0
    lag: float = 0.0
    started: float = 1_000.0

    def happen(self, labels: Labels, *, good: int, bad: int) -> None:
        self.good[labels] = self.good.get(labels, 0) + good
        self.bad[labels] = self.bad.get(labels, 0) + bad

    def page(self) -> bytes:
        lines = ["# TYPE requests counter"]
        lines += [
            f'requests_total{{{_names(labels)},code="{code}"}} {count}'
            for code, counts in (("200", self.good), ("500", self.bad))
            for labels, count in counts.items()
        ]
        lines += ["# TYPE paid counter"]
        lines += [f"paid_total{{{_names(labels)}}} {n}" for labels, n in self.good.items()]
        lines += ["# TYPE took_seconds histogram", "# UNIT took_seconds seconds"]
        for labels, good in self.good.items():
            count = good + self.bad[labels]
            lines += [
                f'took_seconds_bucket{{{_names(labels)},le="0.1"}} {good}',
                f'took_seconds_bucket{{{_names(labels)},le="+Inf"}} {count}',
                f"took_seconds_count{{{_names(labels)}}} {count}",
                f"took_seconds_sum{{{_names(labels)}}} 1.0",
            ]
        lines += ["# TYPE waiting gauge", f"waiting {self.waiting}"]
        lines += ["# TYPE capacity gauge", "capacity 1.0"]
        lines += ["# TYPE lag_seconds gauge", "# UNIT lag_seconds seconds"]
        lines += [f"lag_seconds {self.lag}"]
        lines += [
            "# TYPE process_start_time_seconds gauge",
            "# UNIT process_start_time_seconds seconds",
        ]
        lines += [f"process_start_time_seconds {self.started}", "# EOF"]
        return ("\n".join(lines) + "\n").encode()


def _names(labels: Labels) -> str:
    return f'zone="{labels[0]}",client="{labels[1]}"'
