"""The contract toolchain: one exact Solidity compiler, and where Forge and Anvil are."""
