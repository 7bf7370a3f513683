"""The proof systems that the stories are told with."""

SYSTEMS = ("ezkl", "octet")
FAST = "octet"
"""Proves in milliseconds: tells what is about the tour, and not about proofs."""
