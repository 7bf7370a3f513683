"""The kernels, the prover and the verifier of OCTET in C++17, behind numpy arrays.

Optional: `kernels.find_native` returns None with a notice where they cannot be built, and the specification
in plain Python proves and verifies the same bytes, slowly.
"""
