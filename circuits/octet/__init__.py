"""OCTET: sumcheck, logUp and multilinear KZG over BN254 for networks of bytes."""
