"""Compile a circuit that proves several inputs at once, from the bundle that proves one.

Nothing is calibrated again: the recipe is the bundle's with another number of inputs, so scales, domain and
widths stay, and the integer graph must be the bundle's own to the last bit. So a job has the same output
whichever circuit proves it, and the batch is audited as the bundle is: from the ONNX file and its recipe.
"""

from dataclasses import replace
from pathlib import Path

from circuits.bundle import Bundle
from circuits.octet.build_bundle import CompileOptions, Network, Order, build_bundle
from circuits.octet.compile.recipe import make_again, recipe_from_json
from circuits.octet.opened_key import open_key
from circuits.srs import SrsStore
from zkml.core.digests import keccak256
from zkml.core.manifest import MAX_BATCH
from zkml.core.tensors import expand_input
from zkml.errors import UnsuitableCircuitError, VerifierMismatchError

_SAMPLE = keccak256(b"zkml.octet.batch.sample")
"""Seed of the inputs whose proof is made once: none is equal to another."""


def compile_batch(
    base: Bundle,
    inputs: int,
    target: Path,
    srs: SrsStore,
    *,
    allow_insecure_srs: bool,
    options: CompileOptions,
) -> Bundle:
    """Compile a batch circuit; see `circuits.port.ProofSystem.compile_batch`.

    Raises:
        VerifierMismatchError: the bundle's model and recipe do not make its own integer graph.
    """
    if base.manifest.batch != 1 or not 2 <= inputs <= MAX_BATCH:
        raise UnsuitableCircuitError(
            f"expected 2..{MAX_BATCH} inputs and a bundle for one, "
            f"found {inputs} and a bundle for {base.manifest.batch}"
        )
    base.require("onnx")
    key = open_key(base)
    recipe = replace(recipe_from_json(key.settings.recipe), batch=inputs)

    def make(onnx: bytes) -> Network:
        lowered, port = make_again(onnx, recipe, nu=None)
        if lowered.graph.digest() != key.reference:
            raise VerifierMismatchError(
                f"expected the integer graph {key.reference.hex()} that the bundle's key names, "
                f"found {lowered.graph.digest().hex()} from its model and recipe",
                hint="compile the model again",
            )
        sample = expand_input(_SAMPLE, port.layout, port.domain)
        made = replace(recipe, nu=lowered.program.nu)
        return Network(lowered, port, made.as_json(), base.manifest.fidelity, sample)

    order = Order(base.manifest.name, base.file("onnx"), target, srs, allow_insecure_srs)
    return build_bundle(order, options, make)
