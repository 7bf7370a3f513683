"""EZKL behind the port of proof systems."""
