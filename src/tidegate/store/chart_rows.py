"""
Points for charts, and traffic by the hour: what is kept for people to look at and for forecasts.

No decision rests on it, so it is small and coarse: a point per two-hundredth of a bake, a row per hour.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, bindparam, case, insert, or_, select, update
from sqlalchemy import and_ as all_of

from tidegate.domain.plan.traffic import TrafficHour
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.ports.store import EvidencePoint
from tidegate.store.rows import Rows
from tidegate.store.tables import evidence_points, traffic_hours

_MILLISECOND = timedelta(milliseconds=1)

_ADD_POINT = insert(evidence_points)
_POINTS = (
    select(evidence_points)
    .where(
        evidence_points.c.rollout_id == bindparam("rollout_id"),
        evidence_points.c.at > bindparam("since", type_=evidence_points.c.at.type),
    )
    .order_by(evidence_points.c.at)
    .limit(bindparam("most", type_=BigInteger()))
)

_PEOPLE = bindparam("people", type_=BigInteger())
_ADD_TO_HOUR = (
    update(traffic_hours)
    .where(
        all_of(
            traffic_hours.c.service == bindparam("of_service"),
            traffic_hours.c.target == bindparam("of_target"),
            traffic_hours.c.hour == bindparam("of_hour", type_=traffic_hours.c.hour.type),
        )
    )
    .values(
        watched_ms=traffic_hours.c.watched_ms + bindparam("watched_ms"),
        requests=traffic_hours.c.requests + bindparam("requests"),
        bad=traffic_hours.c.bad + bindparam("bad"),
        people=case(
            (_PEOPLE.is_(None), traffic_hours.c.people),
            (
                or_(traffic_hours.c.people.is_(None), traffic_hours.c.people < _PEOPLE),
                _PEOPLE,
            ),
            else_=traffic_hours.c.people,
        ),
    )
)
_ADD_HOUR = insert(traffic_hours)
_HOURS = (
    select(traffic_hours)
    .where(
        traffic_hours.c.service == bindparam("service"),
        traffic_hours.c.hour >= bindparam("since", type_=traffic_hours.c.hour.type),
    )
    .order_by(traffic_hours.c.target, traffic_hours.c.hour)
)


class ChartRows(Rows):
    """The part of a transaction that is about charts and traffic."""

    def add_evidence_point(self, point: EvidencePoint) -> None:
        """Add a point to the charts of a rollout."""
        self._write(
            _ADD_POINT,
            {
                "rollout_id": point.rollout_id,
                "at": point.at,
                "attempt": point.attempt,
                "phase": point.phase_index,
                "numbers_json": point.numbers_json,
            },
        )

    def evidence_points(
        self, rollout_id: RolloutId, *, since: datetime, limit: int
    ) -> Sequence[EvidencePoint]:
        """Return the points of a rollout after *since*, oldest first."""
        return [
            EvidencePoint(
                rollout_id=row.rollout_id,
                attempt=row.attempt,
                at=row.at,
                phase_index=row.phase,
                numbers_json=row.numbers_json,
            )
            for row in self._read(_POINTS, rollout_id=rollout_id, since=since, most=limit)
        ]

    def add_traffic(self, service: ServiceName, hours: Sequence[TrafficHour]) -> None:
        """Add what was seen of a service's traffic to its hours; see the port."""
        for one in hours:
            values = {
                "watched_ms": one.watched // _MILLISECOND,
                "requests": one.requests,
                "bad": one.bad,
                "people": one.people,
            }
            place = {"of_service": service, "of_target": one.target, "of_hour": one.hour}
            if self._write(_ADD_TO_HOUR, {**place, **values}).rowcount == 0:
                self._write(
                    _ADD_HOUR,
                    {"service": service, "target": one.target, "hour": one.hour, **values},
                )

    def traffic(self, service: ServiceName, *, since: datetime) -> Sequence[TrafficHour]:
        """Return the hours of a service's traffic from *since* on, by target and time."""
        return [
            TrafficHour(
                target=row.target,
                hour=row.hour,
                watched=row.watched_ms * _MILLISECOND,
                requests=row.requests,
                bad=row.bad,
                people=row.people,
            )
            for row in self._read(_HOURS, service=service, since=since)
        ]
