"""
The list of what is measured with counts: services, noises, harms, who is asked, and what is promised.

The rows named `tidegate` take any harm at all for harm (margin 1), as the limit they are compared
with does. The engine's margin for errors, 1.1, makes it slower and its false halts rarer; that has
rows of its own.
"""

import math

import numpy as np

from detecting import information, latency_scenarios, ours, peers
from detecting.measure import ALPHAS, Harm, Scenario, Variant
from detecting.streams import TICK_SECONDS, TICKS_PER_HOUR, Effect, Service, days

PLAIN, RESTARTS, PLACEBO = 1.6, 1.8, 3.2
"""Mean information until the halt over ``log(1 / alpha)``: what is promised."""

RAMP = (0.01, 0.05, 0.25, 0.5)
SHARDS = 19
"""Parts of a 95 % baseline that are as large as a 5 % candidate."""

ERRORS = ((0.001, 3.0, "0.1 to 0.3 %"), (0.01, 2.0, "1 to 2 %"))
"""Rate of failures, ratio of the harmful candidate, and its name."""


def all_scenarios() -> list[Scenario]:
    """Return everything that is measured with streams."""
    return [
        *_errors(),
        *_clustered(),
        *_placebo(),
        *_ramps(),
        *_other_traffic(),
        _leak(),
        *_usage(),
        *latency_scenarios.all_scenarios(),
    ]


def _errors() -> list[Scenario]:
    return [
        _scenario(
            f"errors {{harm}}, {noise}, 100 rps, 5 %",
            Service(requests_per_second=100.0, rate=rate, drift=noise == "drift"),
            words,
            Effect(ratio=ratio),
            (
                _tidegate(promise=RESTARTS),
                *_peers(),
                _tidegate("without restarts", promise=PLAIN, restarts=False),
                _tidegate("margin 1.1 as in the engine", margin=ours.ENGINE_MARGIN_ERRORS),
            ),
            also_quick=noise == "drift" and rate == 0.001,
        )
        for rate, ratio, words in ERRORS
        for noise in ("iid", "drift")
    ]


def _clustered() -> list[Scenario]:
    raw = Variant(
        make=lambda runs: ours.Counts(runs, ALPHAS, name="tidegate's test on raw counts"),
        margin=1.0,
    )
    return [
        _scenario(
            "errors {harm}, clustered, 100 rps, 5 %",
            Service(requests_per_second=100.0, rate=rate, clustered=True),
            words,
            Effect(ratio=ratio),
            (raw, *_peers(), _tidegate("by affected users", promise=RESTARTS, users=True)),
            also_quick=rate == 0.001,
        )
        for rate, ratio, words in ERRORS
    ]


def _placebo() -> list[Scenario]:
    # Apart from `_clustered`, and not in the quick run: it takes as long as all the others together.
    return [
        _scenario(
            "errors {harm}, clustered in 19 shards, 100 rps, 5 %",
            Service(requests_per_second=100.0, rate=rate, clustered=True, shards=SHARDS),
            words,
            Effect(ratio=ratio),
            (
                Variant(
                    make=lambda runs: ours.Placebo(runs, ALPHAS),
                    note="by placebo",
                    margin=1.0,
                    promise=PLACEBO,
                    honest=True,
                ),
            ),
        )
        for rate, ratio, words in ERRORS
    ]


def _ramps() -> list[Scenario]:
    return [
        _scenario(
            "errors {harm}, ramp 1/5/25/50 %, 100 rps",
            Service(requests_per_second=100.0, rate=rate, shares=RAMP),
            words,
            Effect(ratio=ratio),
            (_tidegate(promise=RESTARTS), *_peers()),
            also_quick=rate == 0.01,
        )
        for rate, ratio, words in ERRORS
    ]


def _other_traffic() -> list[Scenario]:
    return [
        _scenario(
            f"errors {{harm}}, drift, {rps:g} rps, {100 * share:g} %",
            Service(requests_per_second=rps, rate=rate, shares=(share,)),
            words,
            Effect(ratio=ratio),
            (_tidegate(promise=RESTARTS), *_peers()),
        )
        for rps, share in ((10.0, 0.05), (1000.0, 0.05), (100.0, 0.01), (100.0, 0.25))
        for rate, ratio, words in ERRORS
    ]


def _leak() -> Scenario:
    return _scenario(
        "errors {harm}, drift, 100 rps, 5 %",
        Service(requests_per_second=100.0, rate=0.001),
        "leak from 0.1 to 1 % within 1 h after 2 h",
        Effect(ratio=10.0, begins_at_tick=2 * TICKS_PER_HOUR, grows_for_ticks=TICKS_PER_HOUR),
        (
            _tidegate(),
            *_peers(),
            _tidegate("without restarts", restarts=False),
            _tidegate("margin 1.1 as in the engine", margin=ours.ENGINE_MARGIN_ERRORS),
        ),
    )


def _usage() -> list[Scenario]:
    return [
        _scenario(
            "usage 2 % of requests, {harm}, drift, 100 rps, 5 %",
            Service(requests_per_second=100.0, rate=0.02, usage=True),
            words,
            Effect(ratio=ratio),
            (
                _tidegate(promise=RESTARTS, usage=True),
                Variant(make=lambda runs: peers.Kayenta(runs, ALPHAS[:1], decrease=True)),
                Variant(make=lambda runs: peers.RepeatedZ(runs, ALPHAS, decrease=True)),
                _tidegate("without restarts", promise=PLAIN, usage=True, restarts=False),
            ),
            also_quick=ratio == 0.5,
        )
        for ratio, words in ((0.8, "-20 %"), (0.5, "-50 %"))
    ]


def _scenario(
    name: str,
    service: Service,
    words: str,
    effect: Effect,
    variants: tuple[Variant, ...],
    *,
    also_quick: bool = False,
) -> Scenario:
    return Scenario(
        name=name,
        harmless=lambda runs, seed: days(service, Effect(), runs, seed),
        harms=(
            Harm(
                words=words,
                play=lambda runs, seed: days(service, effect, runs, seed),
                bound_ticks=bound_ticks(service, effect.ratio),
                begins_at_tick=effect.begins_at_tick,
            ),
        ),
        variants=variants,
        also_quick=also_quick,
    )


def bound_ticks(service: Service, ratio: float) -> float:
    """Return how many average ticks of *service* hold what any test needs to find *ratio*."""
    expected = service.requests_per_second * TICK_SECONDS * service.shares[0]
    if service.usage:
        nats = information.poisson(np.full(1, expected * service.rate), service.shares[0], ratio)
        return -math.log(ALPHAS[0]) / float(nats[0])
    return (
        information.requests_at_least(
            service.rate, service.rate * ratio, service.shares[0], ALPHAS[0]
        )
        / expected
    )


def _tidegate(
    note: str = "",
    *,
    margin: float = 1.0,
    promise: float | None = None,
    restarts: bool = True,
    users: bool = False,
    usage: bool = False,
) -> Variant:
    return Variant(
        make=lambda runs: ours.Counts(
            runs, ALPHAS, margin=margin, restarts=restarts, users=users, usage=usage
        ),
        note=note,
        margin=margin,
        promise=promise,
        honest=True,
    )


def _peers() -> tuple[Variant, ...]:
    # Only the z-test has a level; the others are put beside the first one.
    return (
        Variant(make=lambda runs: peers.argo_rollouts(runs, ALPHAS[:1])),
        Variant(make=lambda runs: peers.flagger(runs, ALPHAS[:1])),
        Variant(make=lambda runs: peers.Kayenta(runs, ALPHAS[:1])),
        Variant(make=lambda runs: peers.RepeatedZ(runs, ALPHAS)),
    )
