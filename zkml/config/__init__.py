"""Flags, environment, zkml.toml and defaults in; checked settings out."""
