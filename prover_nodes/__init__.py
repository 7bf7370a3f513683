"""The prover node: watch, fetch, witness, claim, prove, check, settle."""
