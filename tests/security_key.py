"""A security key in software, for tests: it makes keys and answers challenges (WebAuthn, ES256)."""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

PRESENT, VERIFIED, MAY_BE_BACKED_UP, BACKED_UP, HAS_KEY = 0x01, 0x04, 0x08, 0x10, 0x40


@dataclass
class SecurityKey:
    """One key for one account. Its counter and flags are what a test wants them to be."""

    origin: str = "http://localhost:8000"
    rp_id: str = "localhost"
    count: int = 0
    verifies: bool = True
    may_be_backed_up: bool = False
    handle: str = ""
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def make(self, options: str) -> str:
        """Answer the challenge to make a key."""
        asked = json.loads(options)
        self.handle = asked["user"]["id"]
        numbers = self.private.public_key().public_numbers()
        public = cbor2.dumps(
            {
                1: 2,
                3: -7,
                -1: 1,
                -2: numbers.x.to_bytes(32, "big"),
                -3: numbers.y.to_bytes(32, "big"),
            }
        )
        length = struct.pack(">H", len(self.credential_id))
        data = self._data(HAS_KEY) + bytes(16) + length + self.credential_id + public
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._written(
            {
                "clientDataJSON": self._client(asked, "webauthn.create"),
                "attestationObject": attestation,
            },
            transports=["usb", "made-up"],
        )

    def answer(self, options: str) -> str:
        """Answer the challenge to sign in."""
        client, data = self._client(json.loads(options), "webauthn.get"), self._data()
        signed = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._written(
            {"clientDataJSON": client, "authenticatorData": data, "signature": signed},
            userHandle=self.handle,
        )

    def _client(self, asked: dict[str, Any], kind: str) -> bytes:
        said = {"type": kind, "challenge": asked["challenge"], "origin": self.origin}
        return json.dumps(said).encode()

    def _data(self, flags: int = 0) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        flags |= MAY_BE_BACKED_UP | BACKED_UP if self.may_be_backed_up else 0
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _written(self, response: dict[str, bytes], **more: Any) -> str:
        name = bytes_to_base64url(self.credential_id)
        said = {part: bytes_to_base64url(value) for part, value in response.items()}
        return json.dumps(
            {"id": name, "rawId": name, "type": "public-key", "response": said | more}
        )


def challenge_of(options: str) -> bytes:
    """What the portal asks to be signed."""
    return base64url_to_bytes(json.loads(options)["challenge"])
