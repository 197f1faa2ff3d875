"""Only what trusted keys signed about this very artifact passes, and only as it was expected."""

import json
from base64 import b64decode, urlsafe_b64encode
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from gate_questions import a_change, a_question
from hypothesis import given
from hypothesis import strategies as st
from signed_statements import (
    BUILDER,
    IN_TOTO,
    PROVENANCE,
    RELEASE,
    SECOND,
    SOURCE,
    STRANGER,
    THIRD,
    changed,
    encoded,
    envelope,
    payload_of,
    public,
    signature,
    text,
)

from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.plan.model import Change
from tidegate.domain.quantities import Version
from tidegate.drivers.gate.provenance import ProvenanceGate
from tidegate.drivers.gate.signature import SignatureGate
from tidegate.errors import InvalidDocumentError
from tidegate.ports.gate import GateAnswer
from tidegate.testing.builders import CANDIDATE, START

GREEN, RED, UNKNOWN = GateVerdict.GREEN, GateVerdict.RED, GateVerdict.UNKNOWN

EXPECTED: dict[str, Any] = {
    "keys": {"release": public(RELEASE)},
    "builder": BUILDER,
    "source": SOURCE,
    "parameters": {"workflow.path": ".github/workflows/release.yml"},
}
KEYS: dict[str, Any] = {"keys": {"release": public(RELEASE)}}

OTHER = "f" * 64
BUILD = "predicate.buildDefinition"
GIVEN = f"{BUILD}.externalParameters"
RUN = "predicate.runDetails"


def sent(value: Any) -> bytes:
    """Return *value* as it is submitted."""
    return json.dumps(value).encode()


async def ask(
    *documents: bytes, settings: Any = None, change: Change | None = None, **question: Any
) -> GateAnswer:
    """Return the answer of the gate `provenance` to *documents*."""
    named = [(f"{number}.json", content) for number, content in enumerate(documents, 1)]
    asked = a_question("provenance", settings or EXPECTED, named, change=change, **question)
    return await ProvenanceGate().check(asked)


async def ask_signature(
    *documents: bytes, settings: Any = None, change: Change | None = None
) -> GateAnswer:
    """Return the answer of the gate `signature` to *documents*."""
    named = [(f"{number}.json", content) for number, content in enumerate(documents, 1)]
    asked = a_question("signature", settings or KEYS, named, change=change)
    return await SignatureGate().check(asked)


def built(path: str, value: Any) -> bytes:
    """Return well signed provenance that differs from the good one at *path*."""
    return sent(envelope(changed(PROVENANCE, path, value)))


GOOD = sent(envelope(PROVENANCE))

SOUND = {
    "as it is": GOOD,
    "with a key id that means nothing": GOOD.replace(b'"keyid": ""', b'"keyid": "whoever"'),
    "in the URL-safe alphabet": sent(
        envelope(PROVENANCE, payload=urlsafe_b64encode(payload_of(PROVENANCE)).decode())
    ),
    "in a Sigstore bundle": sent(
        {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": "x"}},
            "dsseEnvelope": envelope(PROVENANCE),
        }
    ),
    "one of several lines": b"\n".join(
        [sent(envelope(changed(PROVENANCE, "subject.0.digest.sha256", OTHER))), GOOD, b""]
    ),
    "beside a stranger's": b"\n".join([sent(envelope(PROVENANCE, STRANGER)), GOOD]),
    "one of several subjects": built(
        "subject", [{"digest": {"sha256": OTHER}}, *PROVENANCE["subject"]]
    ),
    "signed by a stranger as well": sent(envelope(PROVENANCE, STRANGER, RELEASE)),
    "with fields that nobody knows": built("predicate.runDetails.byproducts", [{"name": "log"}]),
    "with an empty parameter": built(f"{GIVEN}.inputs", {}),
}

_PAYLOAD = payload_of(PROVENANCE)
_SIGNED = envelope(PROVENANCE)
_SIGNATURE = b64decode(_SIGNED["signatures"][0]["sig"])


def _flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


# Ed25519: adding the order of the group to S gives the same equation, which verifiers must refuse.
_ORDER = 2**252 + 27742317777372353535851937790883648493
_BEYOND = _SIGNATURE[:32] + (int.from_bytes(_SIGNATURE[32:], "little") + _ORDER).to_bytes(
    32, "little"
)

REFUSED = {
    # payload type
    "another payload type": sent(envelope(PROVENANCE, payload_type="application/json")),
    "an empty payload type": sent(envelope(PROVENANCE, payload_type="")),
    "the payload type swapped after signing": sent({**_SIGNED, "payloadType": "text/plain"}),
    "signed as another type": sent(
        {**envelope(PROVENANCE, payload_type="text/plain"), "payloadType": IN_TOTO}
    ),
    # signatures
    "no signature": sent({**_SIGNED, "signatures": []}),
    "signatures left out": sent({key: _SIGNED[key] for key in ("payload", "payloadType")}),
    "an empty signature": sent({**_SIGNED, "signatures": [{"sig": ""}]}),
    "a signature without its bytes": sent({**_SIGNED, "signatures": [{"keyid": "release"}]}),
    "a stranger's signature": sent(envelope(PROVENANCE, STRANGER)),
    "a stranger who says to be the key": sent(envelope(PROVENANCE, STRANGER)).replace(
        b'"keyid": ""', b'"keyid": "release"'
    ),
    "a stranger who brings his key": sent(
        {**envelope(PROVENANCE, STRANGER), "publicKey": public(STRANGER)}
    ),
    "one bit of the signature turned": sent(
        {**_SIGNED, "signatures": [{"sig": text(_flipped(_SIGNATURE))}]}
    ),
    "a signature beyond the order": sent({**_SIGNED, "signatures": [{"sig": text(_BEYOND)}]}),
    "a longer signature": sent({**_SIGNED, "signatures": [{"sig": text(_SIGNATURE + b"\0")}]}),
    "a shorter signature": sent({**_SIGNED, "signatures": [{"sig": text(_SIGNATURE[:-1])}]}),
    "signed without the envelope's encoding": sent(
        {**_SIGNED, "signatures": [{"sig": text(signature(RELEASE, _PAYLOAD))}]}
    ),
    "the payload swapped": sent({**_SIGNED, "payload": text(_PAYLOAD.replace(b"main", b"evil"))}),
    "the signature of another statement": sent(
        {**_SIGNED, "signatures": envelope({**PROVENANCE, "x": 1})["signatures"]}
    ),
    # statement
    "another statement type": built("_type", "https://in-toto.io/Statement/v0.1"),
    "no statement type": built("_type", ...),
    "a payload that isn't JSON": sent(envelope(b"trust me")),
    "a payload that is a list": sent(envelope([PROVENANCE])),
    "a key that stands twice": sent(
        envelope(_PAYLOAD.replace(b'"subject"', b'"subject": [], "subject"', 1))
    ),
    "a builder that stands twice": sent(
        envelope(_PAYLOAD.replace(b'"builder"', b'"builder": {"id": "evil"}, "builder"', 1))
    ),
    # subject
    "another subject": built("subject.0.digest.sha256", OTHER),
    "no subject": built("subject", []),
    "subjects left out": built("subject", ...),
    "a subject that is null": built("subject", None),
    "a subject without a digest": built("subject.0.digest", ...),
    "the digest under another algorithm": built(
        "subject.0.digest", {"sha512": CANDIDATE.digest.removeprefix("sha256:")}
    ),
    "the digest as the name": built(
        "subject", [{"name": CANDIDATE.digest, "digest": {"sha256": OTHER}}]
    ),
    "the digest with its prefix": built("subject.0.digest.sha256", CANDIDATE.digest),
    "the digest in capitals": built("subject.0.digest.sha256", "C" * 64),
    "a part of the digest": built("subject.0.digest.sha256", "c" * 63),
    # predicate
    "another predicate": built("predicateType", "https://spdx.dev/Document"),
    "older provenance": built("predicateType", "https://slsa.dev/provenance/v0.2"),
    "no predicate type": built("predicateType", ...),
    "no predicate": built("predicate", ...),
    "a predicate that is null": built("predicate", None),
    # builder
    "another builder": built(f"{RUN}.builder.id", "https://evil.example/builder"),
    "a builder that begins alike": built(f"{RUN}.builder.id", BUILDER + "0"),
    "a builder in capitals": built(f"{RUN}.builder.id", BUILDER.upper()),
    "no builder": built(f"{RUN}.builder", ...),
    "a list of builders": built(f"{RUN}.builder.id", [BUILDER]),
    # build type
    "another build type": built(f"{BUILD}.buildType", "https://example.com/by-hand"),
    "no build type": built(f"{BUILD}.buildType", ...),
    # source
    "another repository": built(f"{GIVEN}.workflow.repository", "https://github.com/example/evil"),
    "a repository that begins alike": built(f"{GIVEN}.workflow.repository", SOURCE + "-evil"),
    "a fork": built(f"{GIVEN}.workflow.repository", "https://github.com/mallory/shop"),
    "no repository": built(f"{GIVEN}.workflow.repository", ...),
    "another ref": built(f"{GIVEN}.workflow.ref", "refs/heads/evil"),
    "a ref that begins alike": built(f"{GIVEN}.workflow.ref", "refs/heads/main/evil"),
    "a pull request": built(f"{GIVEN}.workflow.ref", "refs/pull/7/merge"),
    "no ref": built(f"{GIVEN}.workflow.ref", ...),
    "no parameters": built(GIVEN, ...),
    # parameters
    "a parameter that isn't known": built(f"{GIVEN}.inputs", {"command": "curl evil"}),
    "a parameter that is null": built(f"{GIVEN}.inputs", None),
    "a parameter deep inside": built(f"{GIVEN}.workflow.inputs", {"a": {"b": [1]}}),
    "another workflow": built(f"{GIVEN}.workflow.path", ".github/workflows/evil.yml"),
    "no workflow path": built(f"{GIVEN}.workflow.path", ...),
    "a parameter with a dot in its name": sent(
        envelope(
            _PAYLOAD.replace(b'"workflow": {', b'"workflow.ref": "refs/heads/main", "workflow": {')
        )
    ),
    "parameters without end": built(f"{GIVEN}.a", json.loads('{"a":' * 50 + "1" + "}" * 50)),
    # freshness
    "too old": built(f"{RUN}.metadata.finishedOn", "2029-11-01T00:00:00Z"),
    "from the future": built(f"{RUN}.metadata.finishedOn", "2030-01-07T10:00:00Z"),
    "at no time": built(f"{RUN}.metadata", {}),
    "at a time that is none": built(f"{RUN}.metadata.finishedOn", "recently"),
}

UNREADABLE = {
    "nothing": b"",
    "text": b"signed, the builder",
    "not an object": b"[]",
    "an empty object": b"{}",
    "cut off": GOOD[:-3],
    "a payload that isn't base64": sent({**_SIGNED, "payload": "!!!!"}),
    "base64 with spaces": sent({**_SIGNED, "payload": " " + _SIGNED["payload"]}),
    "base64 that isn't canonical": sent({**_SIGNED, "signatures": [{"sig": "QUJDRB=="}]}),
    "base64 without its padding": sent(
        {**_SIGNED, "payload": _SIGNED["payload"].rstrip("=") + "A"}
    ),
    "an envelope's key that stands twice": GOOD.replace(
        b'"signatures"', b'"signatures": [], "signatures"', 1
    ),
    "a payload that is null": sent({**_SIGNED, "payload": None}),
    "signatures that are null": sent({**_SIGNED, "signatures": None}),
    "signatures without end": sent({**_SIGNED, "signatures": [{"sig": "QUJD"}] * 1000}),
    "a bundle of something else": sent({"mediaType": "x", "dsseEnvelope": _SIGNED}),
    "a good line and a bad one": GOOD + b"\n{}",
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", SOUND.values(), ids=SOUND)
async def test_sound_provenance_passes(content: bytes) -> None:
    """The good twin of all that is refused."""
    answer = await ask(content)

    assert answer.verdict is GREEN, answer.because
    assert ("code: source", SOURCE) in answer.facts
    assert ("code: commit", "a" * 40) in answer.facts


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
async def test_what_isnt_exactly_expected_is_refused(content: bytes) -> None:
    """Readable and wrong is red, and says which check it was."""
    answer = await ask(content)

    assert answer.verdict is RED, answer.because
    assert dict(answer.facts)["failed check"]


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_cant_be_read_is_never_green(content: bytes) -> None:
    """Neither alone nor beside a good one."""
    assert (await ask(content)).verdict is UNKNOWN
    assert (await ask(GOOD, content)).verdict is UNKNOWN
    assert (await ask_signature(content)).verdict is UNKNOWN


async def test_without_a_statement_it_isnt_known() -> None:
    """Missing isn't green."""
    assert (await ask()).verdict is UNKNOWN
    assert (await ask_signature()).verdict is UNKNOWN


async def test_the_reason_is_of_the_statement_that_came_farthest() -> None:
    """A stranger's noise doesn't hide what is wrong with the real one."""
    noise = sent(envelope(PROVENANCE, STRANGER))
    real = built(f"{GIVEN}.workflow.ref", "refs/heads/evil")

    answer = await ask(real, noise)

    assert answer.because == (
        "code `1.1.0` is refused: it was built from the ref `refs/heads/evil`"
    )
    assert answer.facts == (("failed check", "source"),)


@pytest.mark.parametrize("ask_gate", [ask, ask_signature])
async def test_each_changed_component_needs_a_statement(ask_gate: Any) -> None:
    """One that is built well doesn't vouch for another."""
    other = Version(name="7", digest=f"sha256:{OTHER}")
    change = a_change(code=CANDIDATE, web=other)
    statement = sent(envelope(changed(PROVENANCE, "subject.0.digest.sha256", OTHER)))

    assert (await ask_gate(GOOD, change=change)).verdict is RED
    assert (await ask_gate(GOOD, statement, change=change)).verdict is GREEN
    assert (await ask_gate(GOOD, change=a_change(web=other))).verdict is RED


async def test_a_change_of_nothing_isnt_green() -> None:
    """All of no artifacts being signed says nothing."""
    assert (await ask(GOOD, change=Change(components=()))).verdict is UNKNOWN


@pytest.mark.parametrize("digest", ["", "None", "sha256:None", "md5:" + "c" * 32])
async def test_a_version_without_a_digest_matches_nothing(digest: str) -> None:
    """A statement that leaves the digest out isn't about it."""
    change = a_change(code=Version(name="latest", digest=digest))

    for content in (GOOD, built("subject.0.digest", {})):
        assert (await ask(content, change=change)).verdict is RED


@pytest.mark.parametrize("key", [RELEASE, SECOND, THIRD])
async def test_each_kind_of_key_can_sign(key: Any) -> None:
    """Ed25519 and ECDSA on both curves."""
    settings = {**EXPECTED, "keys": {"builder": public(key)}}
    good = sent(envelope(PROVENANCE, key))

    assert (await ask(good, settings=settings)).verdict is GREEN
    assert (await ask(good)).verdict is (GREEN if key is RELEASE else RED)
    assert (await ask(GOOD, settings=settings)).verdict is (GREEN if key is RELEASE else RED)


THREE = {"a": public(RELEASE), "b": public(SECOND), "c": public(THIRD)}


@pytest.mark.parametrize(
    ("keys", "verdict"),
    [
        ((RELEASE, SECOND), GREEN),
        ((THIRD, SECOND), GREEN),
        ((RELEASE, SECOND, THIRD), GREEN),
        ((RELEASE,), RED),
        ((RELEASE, RELEASE), RED),
        ((SECOND, SECOND), RED),
        ((RELEASE, STRANGER), RED),
    ],
)
async def test_so_many_different_keys_must_sign(keys: Any, verdict: GateVerdict) -> None:
    """A key that signs twice counts once."""
    settings = {"keys": THREE, "threshold": 2}

    assert (await ask_signature(sent(envelope(PROVENANCE, *keys)), settings=settings)).verdict is (
        verdict
    )


async def test_the_twin_of_a_signature_counts_once() -> None:
    """An ECDSA signature has a twin that anybody can make; it isn't a second signer."""
    signed = envelope(PROVENANCE, SECOND)
    r, s = decode_dss_signature(b64decode(signed["signatures"][0]["sig"]))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    signed["signatures"].append({"sig": text(encode_dss_signature(r, order - s))})

    answer = await ask_signature(sent(signed), settings={"keys": THREE, "threshold": 2})

    assert answer.verdict is RED


async def test_signatures_of_two_statements_dont_add_up() -> None:
    """Each statement needs all of its signers, and one that differs by a space is another."""
    payload = payload_of(PROVENANCE)
    one, two = sent(envelope(payload, RELEASE)), sent(envelope(payload + b" ", SECOND))

    answer = await ask_signature(one, two, settings={"keys": THREE, "threshold": 2})

    assert answer.verdict is RED


async def test_signatures_of_one_statement_add_up() -> None:
    """Whoever signs it later needn't have the envelope of who came first."""
    one, two = sent(envelope(PROVENANCE, RELEASE)), sent(envelope(PROVENANCE, SECOND))

    answer = await ask_signature(one, two, settings={"keys": THREE, "threshold": 2})

    assert answer.verdict is GREEN
    assert ("code: signed by", "a, b") in answer.facts


async def test_a_signature_says_yes_only_in_a_statement_that_does() -> None:
    """Signed findings about an artifact aren't consent to it."""
    scan = sent(
        envelope({**PROVENANCE, "predicateType": "https://in-toto.io/attestation/vulns/v0.2"})
    )

    assert (await ask_signature(scan)).verdict is RED
    assert (await ask_signature(GOOD)).verdict is GREEN
    only = {**KEYS, "predicate_types": "https://sigstore.dev/cosign/sign/v1"}
    assert (await ask_signature(GOOD, settings=only)).verdict is RED


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({"level": 3}, GREEN),
        ({"builder": [], "builders": {BUILDER: 2}}, GREEN),
        ({"builder": [], "builders": {BUILDER: 2}, "level": 3}, RED),
        ({"builder": [], "builders": {BUILDER: 1}}, RED),
        ({"builder": [], "builders": {BUILDER: 1}, "level": 1}, GREEN),
        ({"builder": "https://other.example"}, RED),
        ({"ref": "refs/tags/v*"}, RED),
        ({"ref": ["refs/tags/v*", "refs/heads/m*"]}, GREEN),
        ({"ref": "refs/*"}, RED),
        ({"ref": "refs/heads/mai."}, RED),
        ({"source": f"git+{SOURCE}.git"}, GREEN),
        ({"parameters": {}}, RED),
        ({"parameters": {}, "any_parameters": "workflow.path"}, GREEN),
        ({"parameters": {"workflow.path": [".github/workflows/release.yml"]}}, RED),
        ({"parameters": {**EXPECTED["parameters"], "inputs.debug": False}}, RED),
        ({"max_age": "1h"}, RED),
        ({"max_age": "61m"}, GREEN),
        ({"build_type": "https://example.com/make"}, RED),
    ],
)
async def test_what_is_expected_can_be_said(settings: Any, verdict: GateVerdict) -> None:
    """Each setting changes what passes."""
    answer = await ask(GOOD, settings={**EXPECTED, **settings})

    assert answer.verdict is verdict, answer.because


@pytest.mark.parametrize(
    ("value", "verdict"), [(True, GREEN), (1, RED), ("true", RED), (False, RED)]
)
async def test_a_parameter_is_compared_with_its_type(value: Any, verdict: GateVerdict) -> None:
    """True isn't one."""
    settings = {**EXPECTED, "parameters": {**EXPECTED["parameters"], "inputs.sign": True}}

    assert (
        await ask(built(f"{GIVEN}.inputs", {"sign": value}), settings=settings)
    ).verdict is verdict


async def test_source_and_ref_can_stand_in_one_parameter() -> None:
    """As generators of provenance for containers write it."""
    settings = {
        **EXPECTED,
        "parameters": {},
        "source_at": "source.uri",
        "ref_at": "source.uri",
        "any_parameters": ["source.digest.sha1"],
    }

    def of(uri: str) -> bytes:
        return built(GIVEN, {"source": {"uri": uri, "digest": {"sha1": "b" * 40}}})

    assert (await ask(of(f"git+{SOURCE}@refs/heads/main"), settings=settings)).verdict is GREEN
    for uri in (SOURCE, f"git+{SOURCE}@refs/heads/evil", f"git+{SOURCE}x@refs/heads/main"):
        assert (await ask(of(uri), settings=settings)).verdict is RED


async def test_green_lasts_until_the_build_is_too_old() -> None:
    """The build ended an hour before the question."""
    answer = await ask(GOOD, settings={**EXPECTED, "max_age": "3h"})
    late = await ask(GOOD, settings={**EXPECTED, "max_age": "3h"}, now=START + timedelta(hours=2))

    assert answer.lasts == timedelta(hours=2)
    assert late.verdict is RED


@pytest.mark.parametrize(
    "settings",
    [
        {"keys": {}},
        {"keys": {"a": "ssh-ed25519 AAAA"}},
        {"keys": {"a": ""}},
        {"keys": {"a": public(RELEASE), "b": public(RELEASE)}},
        {"keys": {"a": public(RELEASE), "b": "".join(public(RELEASE).splitlines()[1:-1])}},
        {"threshold": 2},
        {"threshold": 0},
        {"level": 4},
        {"source": ...},
        {"builder": []},
        {"key": "x"},
    ],
)
async def test_settings_that_make_no_sense_are_refused(settings: Any) -> None:
    """Before anything is verified by them."""
    written = {key: one for key, one in {**EXPECTED, **settings}.items() if one is not ...}

    with pytest.raises(InvalidDocumentError):
        await ask(GOOD, settings=written)


@given(st.binary(max_size=300))
async def test_random_bytes_are_never_green(content: bytes) -> None:
    """Nor do they raise."""
    assert (await ask(content)).verdict is UNKNOWN
    assert (await ask_signature(content)).verdict is UNKNOWN


@given(st.binary(max_size=300))
async def test_signed_random_bytes_are_never_green(payload: bytes) -> None:
    """Who holds the key may sign nonsense."""
    content = sent(envelope(payload))

    assert encoded(payload)
    assert (await ask(content)).verdict is RED
    assert (await ask_signature(content)).verdict is RED


@given(at=st.integers(0, len(_PAYLOAD) - 1), bit=st.integers(0, 7))
async def test_any_bit_of_the_payload_counts(at: int, bit: int) -> None:
    """What was signed is what is read."""
    other = bytearray(_PAYLOAD)
    other[at] ^= 1 << bit

    assert (await ask(sent({**_SIGNED, "payload": text(bytes(other))}))).verdict is RED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(BUILDER),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3)
    ),
    max_leaves=8,
)
PATHS = st.sampled_from(
    ["subject", "subject.0", "predicate", BUILD, GIVEN, f"{GIVEN}.workflow", RUN, f"{RUN}.builder"]
)


@given(PATHS, JSON)
async def test_a_statement_of_any_shape_is_answered(path: str, value: Any) -> None:
    """A part that was replaced by anything else is refused, without an exception."""
    assert (await ask(built(path, value))).verdict is RED
