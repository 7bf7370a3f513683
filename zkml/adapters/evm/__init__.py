"""The one door to an EVM chain: JSON-RPC, transactions, ABI, reverts, and the embedded node."""
