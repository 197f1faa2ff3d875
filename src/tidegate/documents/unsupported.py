"""
What Tidegate's format names and this version can't do yet.

Rule: whoever writes one of these is told so in plain words, with what there is instead, rather than
that the word is unknown. Whoever builds one of them takes it off these lists.
"""

from typing import Final

COMPONENT_DRIVERS: Final = frozenset(
    {
        "azure-appconfig",
        "consul",
        "envoy-rtds",
        "flagd",
        "kubernetes",
        "ofrep",
        "opentofu",
        "postgres",
        "terraform",
        "vm",
    }
)
TRAFFIC_DRIVERS: Final = frozenset({"gateway-api", "haproxy", "istio", "nginx"})
KINDS: Final = frozenset({"flag", "iac", "schema"})

_COMPONENT_KEYS: Final = frozenset(
    {
        "artifact",
        "consumers",
        "database",
        "deployment",
        "gitops",
        "image",
        "lock_timeout",
        "migrations",
        "recovery",
        "unit",
        "variants",
    }
)

KEYS: Final[dict[tuple[str, ...], frozenset[str]]] = {
    (): frozenset({"approvals", "emergency", "flags", "freeze", "notify", "window", "windows"}),
    ("workload",): _COMPONENT_KEYS,
    ("components", "*"): _COMPONENT_KEYS,
    ("targets", "*"): frozenset({"context", "inventory"}),
    ("health",): frozenset({"slo"}),
    ("health", "signals", "*"): frozenset({"otel_event", "where"}),
    ("health", "exercise", "*"): frozenset({"otel_event", "where"}),
    ("plan",): frozenset({"cleanup", "windows"}),
    ("plan", "phases", "*"): frozenset({"audience", "wait", "windows"}),
}
"""Keys by the place they stand at; `*` is any item of a list, any name of a component."""


def not_yet(what: str) -> str:
    """Return the sentence that says that *what* isn't built yet."""
    return f"{what} isn't supported yet by this version"
