"""Public keys in documents: which are taken, and that a message never shows what was written."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from signed_statements import RELEASE, SECOND, THIRD, public

from tidegate.documents.notation import NotationError
from tidegate.documents.public_keys import canonical_key, parse_public_key


@pytest.mark.parametrize("key", [RELEASE, SECOND, THIRD])
def test_a_key_reads_the_same_as_pem_and_in_one_line(key: object) -> None:
    """Both are the same key, so it can't be taken for two."""
    pem = public(key)  # type: ignore[arg-type]
    line = "".join(pem.splitlines()[1:-1])

    assert canonical_key(pem) == canonical_key(line)


def _pem(key: object) -> str:
    spki = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.PEM, spki).decode()  # type: ignore[attr-defined]


PRIVATE = RELEASE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

BAD = {
    "nothing": "",
    "no text": 7,
    "words": "my key",
    "RSA": _pem(rsa.generate_private_key(65537, 2048)),
    "another curve": _pem(ec.generate_private_key(ec.SECP521R1())),
    "a key that can't sign": _pem(x25519.X25519PrivateKey.generate()),
    "a private key": PRIVATE,
    "cut off": public(RELEASE)[:60],
    "base64 of nothing": "QUJD",
}


@pytest.mark.parametrize("written", BAD.values(), ids=BAD)
def test_any_other_key_is_refused(written: object) -> None:
    """With what to write instead, and without showing what may be a secret."""
    with pytest.raises(NotationError) as caught:
        parse_public_key(written)

    assert "openssl" in caught.value.fix
    if isinstance(written, str) and len(written) > 20:
        assert written.splitlines()[-2][:20] not in str(caught.value)
