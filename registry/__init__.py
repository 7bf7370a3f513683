"""Models on chain: registration, genesis proof, lookup."""
