"""Whatever is changed in a good bundle, it is refused or means the same; and it is always answered."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from keyless_gates import EXPECTED, INSTANCE, ask_provenance, ask_signature, sent
from signed_statements import PROVENANCE, changed

from tidegate.domain.gates.model import GateVerdict
from tidegate.ports.gate import GateAnswer
from tidegate.testing.builders import CANDIDATE

GOOD = INSTANCE.bundle(PROVENANCE)
STAMPED = INSTANCE.stamped(PROVENANCE)
BYTES = INSTANCE.bundle(None, artifact_digest=CANDIDATE.digest.removeprefix("sha256:"))
BUNDLES = {"entry": GOOD, "stamp": STAMPED, "bytes": BYTES}


def places(value: Any, above: str = "") -> list[str]:
    """Return the dotted path of everything in *value*."""
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    found = []
    for key, member in inside:
        here = f"{above}.{key}" if above else str(key)
        found += [here, *places(member, here)]
    return found


PLACES = {name: places(bundle) for name, bundle in BUNDLES.items()}
TEXTS = {name: sent(bundle) for name, bundle in BUNDLES.items()}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["", "0", "QUJD"]),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3)
    ),
    max_leaves=6,
)


async def answers(name: str, content: bytes) -> GateAnswer:
    """Return what the gates say that take the bundle *name* when it is whole."""
    if name == "bytes":
        return await ask_signature(content)
    answer = await ask_signature(content)
    built = await ask_provenance(content, settings=EXPECTED)
    assert built.verdict is not GateVerdict.GREEN or answer.verdict is GateVerdict.GREEN
    return answer


async def facts_of(name: str) -> GateAnswer:
    """Return the answer to the bundle as it was made."""
    answer = await answers(name, TEXTS[name])
    assert answer.verdict is GateVerdict.GREEN, answer.because
    return answer


@given(st.sampled_from(sorted(BUNDLES)), st.data())
async def test_a_turned_bit_is_refused_or_means_the_same(name: str, data: st.DataObject) -> None:
    """In the bytes as they are submitted."""
    content = bytearray(TEXTS[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    answer = await answers(name, bytes(content))

    assert answer.verdict is not GateVerdict.GREEN or answer.facts == (await facts_of(name)).facts


@given(st.sampled_from(sorted(BUNDLES)), st.data(), JSON)
async def test_a_replaced_part_is_refused_or_means_the_same(
    name: str, data: st.DataObject, value: Any
) -> None:
    """Any part of any form, by anything."""
    place = data.draw(st.sampled_from(PLACES[name]))

    answer = await answers(name, sent(changed(BUNDLES[name], place, value)))

    assert answer.verdict is not GateVerdict.GREEN or answer.facts == (await facts_of(name)).facts


@given(st.sampled_from(sorted(BUNDLES)), st.data())
async def test_a_left_out_part_is_refused_or_means_the_same(name: str, data: st.DataObject) -> None:
    """Nothing that is verified can be verified by leaving it out."""
    place = data.draw(st.sampled_from(PLACES[name]))

    answer = await answers(name, sent(changed(BUNDLES[name], place, ...)))

    assert answer.verdict is not GateVerdict.GREEN or answer.facts == (await facts_of(name)).facts


PARTS = st.sampled_from(
    [
        "verificationMaterial.certificate",
        "verificationMaterial.tlogEntries",
        "verificationMaterial",
        "dsseEnvelope",
        "mediaType",
    ]
)
OTHERS = [
    INSTANCE.bundle({**PROVENANCE, "predicate": {"other": True}}),
    INSTANCE.bundle(changed(PROVENANCE, "subject.0.digest.sha256", "f" * 64)),
    STAMPED,
]


@given(st.sampled_from(OTHERS), st.sets(PARTS, min_size=1, max_size=3))
async def test_parts_of_two_bundles_dont_make_a_third(
    other: dict[str, Any], parts: set[str]
) -> None:
    """What passes was signed as it stands: its envelope is that of a bundle that passes whole."""
    mixed = json.loads(TEXTS["entry"])
    for part in sorted(parts):
        value: Any = other
        for step in part.split("."):
            value = value[step]
        mixed = changed(mixed, part, value)

    answer = await ask_signature(sent(mixed))

    if answer.verdict is GateVerdict.GREEN:
        whole = [one for one in (GOOD, *OTHERS) if one["dsseEnvelope"] == mixed["dsseEnvelope"]]
        assert whole
        assert (await ask_signature(whole[0])).verdict is GateVerdict.GREEN
