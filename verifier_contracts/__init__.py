"""Verifier contracts, the one contract toolchain, and an EVM in process."""
