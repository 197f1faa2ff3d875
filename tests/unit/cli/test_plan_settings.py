"""What a gate is asked by is shown in a plan, and a root of trust doesn't bury the rest."""

import pytest
from keyless_gates import INSTANCE, RELEASE_WORKFLOW
from signed_statements import changed

from tidegate.cli.text.plan import setting_words


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("max_age", "24h", "max_age 24h"),
        ("threshold", 2, "threshold 2"),
        ("suites", ["a", "b"], "suites ['a', 'b']"),
        ("limits", {"config": 0}, "limits {'config': 0}"),
    ],
)
def test_a_short_setting_is_shown_as_it_is(key: str, value: object, shown: str) -> None:
    """Nothing is left out of what fits."""
    assert setting_words(key, value) == shown


def test_a_long_setting_is_shown_by_its_keys_and_a_digest() -> None:
    """Whoever approves sees that it is another, though it isn't shown in full."""
    root = INSTANCE.root()
    identities = {"release": RELEASE_WORKFLOW, "audit": RELEASE_WORKFLOW}

    shown = setting_words("trusted_root", root)

    assert setting_words("identities", identities).startswith("identities release, audit (sha256:")
    assert shown.startswith("trusted_root mediaType, certificateAuthorities, tlogs, ")
    assert len(shown) < 150
    assert setting_words("trusted_root", changed(root, "tlogs.0.baseUrl", "x")) != shown


def test_a_long_text_is_cut_with_its_digest() -> None:
    """A list or a text has no keys to name."""
    assert setting_words("tools", "x" * 500).startswith(f"tools {'x' * 100}… (sha256:")
