"""Accounts from key files, keystores and the environment; a key is never printed."""
