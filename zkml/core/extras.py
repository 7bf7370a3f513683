"""Which extra of zkml brings a package, and how to install it. No I/O.

The name `zkml` on the public index belongs to another project, so hints name the checkout.
"""

PACKAGES = {
    "ezkl": "ezkl",
    "mcp": "mcp",
    "onnx": "ezkl",
    "sqlalchemy": "prover",
    "onnxruntime": "publisher",
    "ray": "ray",
    "onnxscript": "publisher",
    "solcx": "prover",
    "torch": "publisher",
    "sklearn": "demo",
}
"""Optional packages by the extra that installs them."""


def install_hint(package: str) -> str:
    """Return the command that installs what brings `package`, for a hint."""
    return f"in the checkout: make setup, or pip install '.[{PACKAGES[package]}]'"
