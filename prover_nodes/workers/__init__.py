"""Who computes witnesses and proofs for a node: this machine, or a Ray cluster."""
