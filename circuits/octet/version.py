"""What manifests and proofs call this proof system."""

SYSTEM = "octet"
VERSION = "2.0.0"
"""Of the protocol, its files and the plans in its keys; a bundle of another version is refused."""

PROOF_SYSTEM = "octet-mercury-kzg-bn254-v2"
