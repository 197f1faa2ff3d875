"""
Attacks on ID tokens, each beside the good token that it was made from. All are refused with one error.

Sources: RFC 8725 (best practices for JWT); the advisories CVE-2015-9235, CVE-2016-10555, CVE-2018-0114,
CVE-2022-21449, CVE-2022-29165, CVE-2025-59420, CVE-2026-27962 for the kind of hole, not for code.
"""

import base64
import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from signing_issuer import (
    CLIENT,
    EC,
    ED,
    ENCRYPTING,
    ISSUER,
    NONCE,
    OTHER_RSA,
    P384,
    RSA,
    TWIN,
    VERIFIER,
    Claims,
    Network,
    b64,
    shared,
    signed,
)

from tidegate.drivers.clock.memory import MemoryClock
from tidegate.drivers.identity.oidc import OidcOptions, OidcProvider
from tidegate.errors import InvalidIdentityError
from tidegate.ports.identity import LoginAttempt, Vouched, challenge_of

CLOCK: Final = MemoryClock()
NOW: Final = int(CLOCK.now().timestamp())
GOOD: Final[Claims] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "azp": CLIENT,
    "sub": "sub-1",
    "nonce": NONCE,
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 300,
    "auth_time": NOW - 5,
    "preferred_username": "alice",
    "groups": ["payments", "on-call"],
}
RS: Final = {"alg": "RS256", "kid": "rsa", "typ": "JWT"}
PUBLIC_PEM: Final = RSA.as_pem(private=False)
PUBLIC_JWK: Final = json.dumps(RSA.as_dict(private=False)).encode()
MINE: Final = OTHER_RSA.as_dict(private=False)


def but(**changed: Any) -> Claims:
    """Return the good claims with some changed; those that are None are left out."""
    return {name: value for name, value in {**GOOD, **changed}.items() if value is not None}


def headed(**changed: Any) -> dict[str, Any]:
    return {name: value for name, value in {**RS, **changed}.items() if value is not None}


def unsigned(algorithm: Any, signature: str = "") -> str:
    return f"{b64(headed(alg=algorithm))}.{b64(GOOD)}.{signature}"


def tampered() -> str:
    """A good token whose payload was changed after it was signed."""
    header, _, signature = signed(GOOD).split(".")
    return f"{header}.{b64(but(sub='sub-2'))}.{signature}"


def other_last_bits(part: int) -> str:
    """A good token with bits set that base64 leaves unused: another spelling of the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    parts = signed(but(pad="x" * (2 if part == 1 else 0))).split(".")
    for filling in range(3):
        if len(parts[part]) % 4 == 0 and part == 1:
            parts = signed(but(pad="x" * filling)).split(".")
    last = parts[part][-1]
    parts[part] = parts[part][:-1] + alphabet[alphabet.index(last) + 1]
    return ".".join(parts)


ATTACKS: Final[dict[str, Callable[[], str]]] = {
    # No signature, or one that isn't asked for.
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg NONE": lambda: unsigned("NONE"),
    "alg nOnE": lambda: unsigned("nOnE"),
    "alg none, signature kept": lambda: unsigned("none", signed(GOOD).split(".")[2]),
    "alg empty": lambda: unsigned("", "AA"),
    "alg missing": lambda: unsigned(None, "AA"),
    "alg a list": lambda: unsigned(["RS256"], "AA"),
    "alg a number": lambda: unsigned(256, "AA"),
    "alg in small letters": lambda: signed(GOOD, headed(alg="rs256"), algorithm="RS256"),
    "alg with a space": lambda: signed(GOOD, headed(alg="RS256 "), algorithm="RS256"),
    "signature empty": lambda: ".".join([*signed(GOOD).split(".")[:2], ""]),
    "signature zero": lambda: ".".join([*signed(GOOD).split(".")[:2], b64(b"\0" * 256)]),
    "signature cut": lambda: signed(GOOD)[:-20],
    "signature of another token": lambda: ".".join(
        [*signed(GOOD).split(".")[:2], signed(but(sub="x")).split(".")[2]]
    ),
    "ECDSA signature zero": lambda: ".".join(
        [*signed(GOOD, headed(alg="ES256", kid="ec"), key=EC).split(".")[:2], b64(b"\0" * 64)]
    ),
    # A shared secret in place of a key pair.
    "HS256 with the public PEM": lambda: shared(GOOD, headed(alg="HS256"), PUBLIC_PEM),
    "HS256 with the public JWK": lambda: shared(GOOD, headed(alg="HS256"), PUBLIC_JWK),
    "HS256 with the published shared key": lambda: shared(
        GOOD, headed(alg="HS256", kid="shared"), b"s" * 32
    ),
    "HS256 with nothing": lambda: shared(GOOD, headed(alg="HS256"), b""),
    "HS512 with the client's id": lambda: shared(GOOD, headed(alg="HS512"), CLIENT.encode()),
    # Algorithms that aren't on the list.
    "RS512": lambda: signed(GOOD, headed(alg="RS512")),
    "PS256": lambda: signed(GOOD, headed(alg="PS256")),
    "ES384 of a published key": lambda: signed(GOOD, headed(alg="ES384", kid="p384"), key=P384),
    # Keys.
    "another key of the same name": lambda: signed(GOOD, key=OTHER_RSA),
    "an RSA token by the EC key's name": lambda: signed(GOOD, headed(kid="ec")),
    "an EC token by the RSA key's name": lambda: signed(GOOD, headed(alg="ES256"), key=EC),
    "an EdDSA token by the RSA key's name": lambda: signed(GOOD, headed(alg="EdDSA"), key=ED),
    "ES256 by the name of a P-384 key": lambda: signed(
        GOOD, headed(alg="ES256", kid="p384"), key=EC
    ),
    "a key for encryption": lambda: signed(GOOD, headed(kid="enc"), key=ENCRYPTING),
    "two keys of one name": lambda: signed(GOOD, headed(alg="ES256", kid="twin"), key=TWIN),
    "kid unknown": lambda: signed(GOOD, headed(kid="unknown")),
    "kid missing, several keys fit": lambda: signed(GOOD, {"alg": "ES256", "typ": "JWT"}, key=EC),
    "kid a path": lambda: signed(GOOD, headed(kid="../../../dev/null"), key=OTHER_RSA),
    "kid an address": lambda: signed(GOOD, headed(kid="https://evil.example/key"), key=OTHER_RSA),
    "kid SQL": lambda: signed(GOOD, headed(kid="' OR '1'='1"), key=OTHER_RSA),
    "kid with a zero byte": lambda: signed(GOOD, headed(kid="rsa\x00")),
    "kid empty": lambda: signed(GOOD, headed(kid="")),
    "kid a number": lambda: signed(GOOD, headed(kid=1)),
    "kid a list": lambda: signed(GOOD, headed(kid=["rsa"])),
    "kid null": lambda: signed(GOOD, {**RS, "kid": None}),
    # Keys that the token brings.
    "jwk in the header": lambda: signed(GOOD, headed(jwk=MINE), key=OTHER_RSA),
    "jwk in the header, no kid": lambda: signed(GOOD, headed(jwk=MINE, kid=None), key=OTHER_RSA),
    "jwk in the header of a good token": lambda: signed(GOOD, headed(jwk=MINE)),
    "jku": lambda: signed(GOOD, headed(jku="https://evil.example/jwks"), key=OTHER_RSA),
    "jku of the issuer": lambda: signed(GOOD, headed(jku=f"{ISSUER}/jwks")),
    "x5u": lambda: signed(GOOD, headed(x5u="https://evil.example/c.pem"), key=OTHER_RSA),
    "x5c": lambda: signed(GOOD, headed(x5c=["MIIB"]), key=OTHER_RSA),
    # Headers that change what is verified.
    "crit": lambda: signed(GOOD, headed(crit=["exp"])),
    "crit of something unknown": lambda: signed(GOOD, headed(crit=["x"], x=1)),
    "crit empty": lambda: signed(GOOD, headed(crit=[])),
    "b64 false": lambda: signed(GOOD, headed(b64=False, crit=["b64"])),
    "b64 without crit": lambda: signed(GOOD, headed(b64=False)),
    "zip": lambda: signed(GOOD, headed(zip="DEF")),
    "nested": lambda: signed(GOOD, headed(cty="JWT")),
    "an access token": lambda: signed(GOOD, headed(typ="at+jwt")),
    "a logout token": lambda: signed(GOOD, headed(typ="logout+jwt")),
    "header says a thing twice": lambda: signed(
        GOOD, '{"alg": "none", "alg": "RS256", "kid": "rsa"}'
    ),
    "header a list": lambda: signed(GOOD, '["RS256"]'),
    "header no JSON": lambda: signed(GOOD, "alg=RS256"),
    "header deep": lambda: signed(GOOD, '{"a":' * 2000 + "1" + "}" * 2000),
    "header no UTF-8": lambda: signed(GOOD, b"\xff\xfe"),
    # Shapes.
    "empty": lambda: "",
    "dots": lambda: "..",
    "one part": lambda: b64(GOOD),
    "two parts": lambda: ".".join(signed(GOOD).split(".")[:2]),
    "four parts": lambda: signed(GOOD) + ".AA",
    "five parts, as if encrypted": lambda: signed(GOOD) + ".AA.AA",
    "huge": lambda: signed(but(pad="x" * 20_000)),
    "white space around": lambda: f" {signed(GOOD)}\n",
    "padding": lambda: signed(GOOD) + "=",
    "standard base64": lambda: signed(GOOD).replace("-", "+").replace("_", "/") + "+",
    "bits left over in the signature": lambda: other_last_bits(2),
    "JSON serialisation": lambda: json.dumps(
        dict(zip(("protected", "payload", "signature"), signed(GOOD).split("."), strict=True))
    ),
    # What is claimed.
    "payload changed": tampered,
    "payload says a thing twice": lambda: signed(json.dumps(GOOD)[:-1] + ', "sub": "sub-2"}'),
    "payload a list": lambda: signed("[]"),
    "payload text": lambda: signed('"sub-1"'),
    "payload no JSON": lambda: signed("sub-1"),
    "payload with NaN": lambda: signed(json.dumps(GOOD)[:-1] + ', "x": NaN}'),
    "iss another": lambda: signed(but(iss="https://evil.example")),
    "iss missing": lambda: signed(but(iss=None)),
    "iss with a slash more": lambda: signed(but(iss=f"{ISSUER}/")),
    "iss longer": lambda: signed(but(iss=f"{ISSUER}.evil.example")),
    "iss a list": lambda: signed(but(iss=[ISSUER])),
    "aud another": lambda: signed(but(aud="another")),
    "aud missing": lambda: signed(but(aud=None)),
    "aud empty": lambda: signed(but(aud=[])),
    "aud two": lambda: signed(but(aud=[CLIENT, "another"])),
    "aud twice": lambda: signed(but(aud=[CLIENT, CLIENT])),
    "aud a beginning": lambda: signed(but(aud=CLIENT[:4])),
    "aud with a wildcard": lambda: signed(but(aud="*")),
    "aud an object": lambda: signed(but(aud={CLIENT: True})),
    "azp another": lambda: signed(but(azp="another")),
    "azp empty": lambda: signed(but(azp="")),
    "nonce another": lambda: signed(but(nonce="of-another-login")),
    "nonce missing": lambda: signed(but(nonce=None)),
    "nonce empty": lambda: signed(but(nonce="")),
    "nonce a list": lambda: signed(but(nonce=[NONCE])),
    "sub missing": lambda: signed(but(sub=None)),
    "sub empty": lambda: signed(but(sub="")),
    "sub a number": lambda: signed(but(sub=1)),
    "sub huge": lambda: signed(but(sub="x" * 256)),
    "exp past": lambda: signed(but(exp=NOW - 31, iat=NOW - 60, nbf=NOW - 60)),
    "exp missing": lambda: signed(but(exp=None)),
    "exp text": lambda: signed(but(exp=str(NOW + 300))),
    "exp true": lambda: signed(but(exp=True)),
    "exp infinite": lambda: signed(json.dumps(but(exp=None))[:-1] + ', "exp": 1e999}'),
    "exp far beyond any year": lambda: signed(but(exp=10**30)),
    "exp negative": lambda: signed(but(exp=-1)),
    "exp before iat": lambda: signed(but(exp=NOW - 1)),
    "nbf in the future": lambda: signed(but(nbf=NOW + 31)),
    "nbf text": lambda: signed(but(nbf="now")),
    "iat in the future": lambda: signed(but(iat=NOW + 31)),
    "iat missing": lambda: signed(but(iat=None)),
    "iat long ago": lambda: signed(but(iat=NOW - 601)),
    "iat true": lambda: signed(but(iat=True)),
    "auth_time in the future": lambda: signed(but(auth_time=NOW + 31)),
    "auth_time text": lambda: signed(but(auth_time="now")),
    "groups text": lambda: signed(but(groups="admins")),
    "groups of objects": lambda: signed(but(groups=[{"name": "admins"}])),
    "groups without end": lambda: signed(but(groups=[f"{n}" for n in range(501)])),
    "name of the engine": lambda: signed(but(preferred_username="tidegate")),
    "name of the server's own token": lambda: signed(but(preferred_username="Root")),
    "name that isn't plain": lambda: signed(but(preferred_username="alice\n bob")),
}


async def believed(token: object, network: Network, **options: Any) -> Vouched:
    """Return who is vouched for by *token*, as the whole driver has it."""
    network.answered = {"access_token": "x", "token_type": "Bearer", "id_token": token}
    provider = OidcProvider(
        OidcOptions(issuer=ISSUER, client_id=CLIENT, **options),
        clock=MemoryClock(CLOCK.now()),
        client=network.client(),
    )
    attempt = LoginAttempt(
        redirect_uri="http://127.0.0.1:1/callback",
        state="s",
        nonce=NONCE,
        challenge=challenge_of(VERIFIER),
    )
    return await provider.vouch(attempt, code="c", verifier=VERIFIER)


def test_the_corpus_is_large_enough_and_says_nothing_twice() -> None:
    """Each attack differs from the others and from the good token."""
    made = [attack() for attack in ATTACKS.values()]

    assert len(ATTACKS) >= 100
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_is_refused(name: str) -> None:
    """With the one error, that repeats nothing of it; and only the issuer is connected to."""
    network = Network()
    token = ATTACKS[name]()

    with pytest.raises(InvalidIdentityError) as refused:
        await believed(token, network)

    assert refused.value.code == "identity.invalid"
    for part in token.split("."):
        assert len(part) < 8 or part not in str(refused.value)
    assert {request.url.host for request in network.asked} == {"issuer.example"}


@pytest.mark.parametrize(
    "token",
    [
        lambda: signed(GOOD),
        lambda: signed(GOOD, headed(typ=None)),
        lambda: signed(GOOD, headed(typ="jwt")),
        lambda: signed(GOOD, headed(x5t="abc", other="ignored, as RFC 7515 has it")),
        lambda: signed(GOOD, headed(alg="ES256", kid="ec"), key=EC),
        lambda: signed(GOOD, headed(alg="EdDSA", kid="ed"), key=ED),
        lambda: signed(but(aud=[CLIENT])),
        lambda: signed(but(azp=None, nbf=None, auth_time=None)),
        lambda: signed(but(iat=NOW + 29, nbf=NOW + 29)),
        lambda: signed(but(exp=NOW - 29, iat=NOW - 60, nbf=NOW - 60)),
        lambda: signed(but(iat=NOW + 0.5)),
    ],
)
async def test_the_good_twin_is_believed(token: Callable[[], str]) -> None:
    """What is refused above is refused for its fault: the same driver believes these."""
    vouched = await believed(token(), Network())

    assert (vouched.person, vouched.name) == ("sub-1", "alice")
    assert vouched.groups == ("on-call", "payments")


async def test_only_the_algorithms_that_are_set_count() -> None:
    """A good signature of another kind isn't one."""
    token = signed(GOOD, headed(alg="ES256", kid="ec"), key=EC)

    with pytest.raises(InvalidIdentityError):
        await believed(token, Network(), algorithms=("RS256",))


@pytest.mark.parametrize("token", [None, 1, ["x"], {}, True])
async def test_an_answer_without_a_token_is_refused(token: object) -> None:
    """Whatever stands in its place."""
    with pytest.raises(InvalidIdentityError):
        await believed(token, Network())


def test_base64_is_what_the_attacks_rely_on() -> None:
    """The other spelling of the signature decodes to the same bytes: only the spelling is refused."""
    good, other = signed(GOOD).split(".")[2], other_last_bits(2).split(".")[2]

    assert len(base64.urlsafe_b64decode(other + "==")) == len(base64.urlsafe_b64decode(good + "=="))
