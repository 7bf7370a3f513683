"""The published ceremony: its verifier file, and the digests of its files."""
