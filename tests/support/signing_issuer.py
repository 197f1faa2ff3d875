"""An issuer of ID tokens that signs whatever it is told to, and a network in which only it answers."""

import base64
import hmac
import json
from typing import Any, Final

import httpx
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

ISSUER: Final = "https://issuer.example"
CLIENT: Final = "tidegate"
NONCE: Final = "the-nonce-of-this-login"
VERIFIER: Final = "v" * 43

RSA: Final = RSAKey.generate_key(2048, {"kid": "rsa"}, auto_kid=False)
OTHER_RSA: Final = RSAKey.generate_key(2048, {"kid": "rsa"}, auto_kid=False)
EC: Final = ECKey.generate_key("P-256", {"kid": "ec"}, auto_kid=False)
P384: Final = ECKey.generate_key("P-384", {"kid": "p384"}, auto_kid=False)
ED: Final = OKPKey.generate_key("Ed25519", {"kid": "ed"}, auto_kid=False)
ENCRYPTING: Final = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"}, auto_kid=False)
TWIN: Final = ECKey.generate_key("P-256", {"kid": "twin"}, auto_kid=False)
OTHER_TWIN: Final = ECKey.generate_key("P-256", {"kid": "twin"}, auto_kid=False)
SHARED: Final = {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(b"s" * 32).decode()}

Claims = dict[str, Any]


def published() -> dict[str, Any]:
    """Return what stands at the issuer's jwks_uri, keys that nobody should use included."""
    keys = [one.as_dict(private=False) for one in (RSA, EC, P384, ED, ENCRYPTING, TWIN, OTHER_TWIN)]
    return {"keys": [*keys, SHARED, {"kty": "unheard-of", "kid": "odd"}]}


def b64(data: bytes | str | dict[str, Any]) -> str:
    """Return *data* as a part of a token."""
    if isinstance(data, dict):
        data = json.dumps(data)
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(
    claims: Claims | str,
    header: dict[str, Any] | str | bytes | None = None,
    *,
    key: Any = RSA,
    algorithm: str | None = None,
) -> str:
    """Return *claims* signed with *key* under *header*, without asking whether that makes sense."""
    head = {"alg": "RS256", "kid": "rsa", "typ": "JWT"} if header is None else header
    named = head["alg"] if isinstance(head, dict) else "RS256"
    signer = JWSRegistry.algorithms[algorithm or named]
    message = f"{b64(head)}.{b64(claims)}"
    return f"{message}.{b64(signer.sign(message.encode(), key))}"


def shared(claims: Claims, header: dict[str, Any], secret: bytes) -> str:
    """Return *claims* under an HMAC with any *secret*, which libraries refuse to make of a public key."""
    message = f"{b64(header)}.{b64(claims)}"
    size = {"HS256": "sha256", "HS512": "sha512"}[header["alg"]]
    return f"{message}.{b64(hmac.new(secret, message.encode(), size).digest())}"


class Network:
    """The issuer behind a transport. `answered` is what the token endpoint gives; `asked` all requests."""

    def __init__(self) -> None:
        self.answered: dict[str, Any] = {}
        self.status = 200
        self.jwks: dict[str, Any] = published()
        self.discovery: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
        }
        self.asked: list[httpx.Request] = []

    def client(self) -> httpx.AsyncClient:
        """Return a client that reaches this issuer and nobody else."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def count(self, path: str) -> int:
        """Return how often *path* was asked for."""
        return sum(request.url.path == path for request in self.asked)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        match str(request.url).removeprefix(ISSUER):
            case "/.well-known/openid-configuration":
                return httpx.Response(200, json=self.discovery)
            case "/jwks":
                return httpx.Response(200, json=self.jwks)
            case "/token":
                return httpx.Response(self.status, json=self.answered)
            case elsewhere:
                raise AssertionError(f"it connected to {elsewhere}")
