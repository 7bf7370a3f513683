"""DID documents by the method did:ethr, from an identity's history. No I/O.

Source: decentralized-identity/ethr-did-resolver `doc/did-method-spec.md` (names, numbering, encodings);
`EthereumDIDRegistry.validDelegate` (what is valid until t is not valid at t).
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from registry.did_events import DidHistory
from zkml.adapters.evm.abi import Event
from zkml.core.dids import did_of

CONTEXTS = (
    "https://www.w3.org/ns/did/v1",
    "https://w3id.org/security/suites/secp256k1recovery-2020/v2",
)
RECOVERY_METHOD = "EcdsaSecp256k1RecoveryMethod2020"

_ZERO_ADDRESS = "0x" + "00" * 20
_ATTRIBUTE = re.compile(r"did/(pub|svc)/(\w+)(?:/(\w+))?(?:/(\w+))?")
_KEY_TYPES = {
    "Secp256k1": "EcdsaSecp256k1VerificationKey2019",
    "Ed25519": "Ed25519VerificationKey2018",
    "RSA": "RSAVerificationKey2018",
    "X25519": "X25519KeyAgreementKey2019",
}
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass
class _Builder:
    """What the events so far have left: entries by what a later event names them by."""

    did: str
    chain_id: int
    now: int
    methods: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    authentication: dict[tuple[Any, ...], str] = field(default_factory=dict)
    agreement: dict[tuple[Any, ...], str] = field(default_factory=dict)
    services: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    delegate_count: int = 0
    service_count: int = 0

    def apply(self, event: Event) -> None:
        """Take in one event, oldest first."""
        if event.name == "DIDDelegateChanged":
            self._apply_delegate(event.arguments)
        elif event.name == "DIDAttributeChanged":
            self._apply_attribute(event.arguments)

    def _apply_delegate(self, values: Mapping[str, Any]) -> None:
        kind = _text(values["delegateType"])
        self.delegate_count += 1
        key = ("delegate", kind, values["delegate"])
        if kind in ("veriKey", "sigAuth") and self._is_valid(values):
            account = f"eip155:{self.chain_id}:{values['delegate']}"
            self._add_method(key, kind, {"type": RECOVERY_METHOD, "blockchainAccountId": account})
        else:
            self._drop(key)

    def _apply_attribute(self, values: Mapping[str, Any]) -> None:
        match = _ATTRIBUTE.fullmatch(_text(values["name"]))
        if match is None:
            return
        section, algorithm, kind, encoding = match.groups()
        key = ("attribute", values["name"], values["value"])
        if section == "svc":
            self._apply_service(key, algorithm, values)
            return
        self.delegate_count += 1
        if algorithm in _KEY_TYPES and self._is_valid(values):
            self._add_method(
                key, kind, {"type": _KEY_TYPES[algorithm], **_encoded(values["value"], encoding)}
            )
        else:
            self._drop(key)

    def _apply_service(self, key: tuple[Any, ...], kind: str, values: Mapping[str, Any]) -> None:
        self.service_count += 1
        if self._is_valid(values):
            self.services[key] = {
                "id": f"{self.did}#service-{self.service_count}",
                "type": kind,
                "serviceEndpoint": values["value"].decode(errors="replace"),
            }
        else:
            self._drop(key)

    def _add_method(self, key: tuple[Any, ...], kind: str | None, method: dict[str, Any]) -> None:
        name = f"{self.did}#delegate-{self.delegate_count}"
        self.methods[key] = {"id": name, "controller": self.did, **method}
        if kind == "sigAuth":
            self.authentication[key] = name
        if kind == "enc":
            self.agreement[key] = name

    def _is_valid(self, values: Mapping[str, Any]) -> bool:
        return int(values["validTo"]) > self.now

    def _drop(self, key: tuple[Any, ...]) -> None:
        for entries in (self.methods, self.authentication, self.agreement, self.services):
            entries.pop(key, None)


def is_deactivated(history: DidHistory) -> bool:
    """Say whether the identity was given to nobody."""
    owners = [event.arguments["owner"] for event in history.changes if event.name == "DIDOwnerChanged"]
    return bool(owners) and owners[-1] == _ZERO_ADDRESS


def did_document(history: DidHistory, chain_id: int, now: int) -> dict[str, Any]:
    """Return the DID document of an identity.

    Args:
        history: owner and changes.
        chain_id: EIP-155 id.
        now: chain time in seconds.

    Returns:
        The document; of a deactivated identity one without keys and services.
    """
    did = did_of(chain_id, history.identity)
    if is_deactivated(history):
        return {"@context": list(CONTEXTS), "id": did, "verificationMethod": [], "authentication": []}
    builder = _Builder(did, chain_id, now)
    for event in history.changes:
        builder.apply(event)
    controller = {
        "id": f"{did}#controller",
        "type": RECOVERY_METHOD,
        "controller": did,
        "blockchainAccountId": f"eip155:{chain_id}:{history.owner}",
    }
    methods = [controller, *builder.methods.values()]
    agreement = list(builder.agreement.values())
    document: dict[str, Any] = {
        "@context": list(CONTEXTS),
        "id": did,
        "verificationMethod": methods,
        "authentication": [controller["id"], *builder.authentication.values()],
        "assertionMethod": [method["id"] for method in methods if method["id"] not in agreement],
    }
    if agreement:
        document["keyAgreement"] = agreement
    if builder.services:
        document["service"] = list(builder.services.values())
    return document


def _text(word: bytes) -> str:
    """Return the text of a bytes32 that is padded with zeros."""
    return word.rstrip(b"\0").decode(errors="replace")


def _encoded(value: bytes, encoding: str | None) -> dict[str, str]:
    """Return a key in the property that its encoding is named by; hexadecimal where it names none."""
    if encoding == "base64":
        return {"publicKeyBase64": base64.b64encode(value).decode()}
    if encoding == "base58":
        return {"publicKeyBase58": _base58(value)}
    if encoding == "pem":
        return {"publicKeyPem": value.decode(errors="replace")}
    return {"publicKeyHex": value.hex()}


def _base58(value: bytes) -> str:
    number, digits = int.from_bytes(value, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        digits = _BASE58[rest] + digits
    zeros = len(value) - len(value.lstrip(b"\0"))
    return "1" * zeros + digits
