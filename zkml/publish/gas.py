"""How much gas a circuit's verification may use: measured on a sample proof before anything is deployed.

The sample also shows that the compiled verifier and the adapter accept what this circuit proves, while
it still costs nothing to learn that they do not.
"""

from pathlib import Path

from circuits.bundle import Bundle
from circuits.port import ProofSystem
from circuits.sample import prove_sample
from verifier_contracts.artifacts import ContractArtifact
from verifier_contracts.gas_limit import measured_gas_limit
from zkml.core.progress import Progress, silent


def measure_gas_limit(
    bundle: Bundle,
    system: ProofSystem,
    verifier: ContractArtifact,
    *,
    cache_dir: Path,
    scratch: Path,
    progress: Progress = silent,
) -> int:
    """Return the gas limit to pin, from the cache or by proving one input of the domain.

    Args:
        bundle: opened with all roles.
        system: the bundle's proof system.
        verifier: compiled from the bundle's key.
        cache_dir: folder of compiled verifiers; the measured limit lies beside them.
        scratch: folder for the sample's witness.
        progress: hears of witness and proof.

    Raises:
        ProofRejectedError: the verifier refuses a true proof of this circuit.
        ProvingError, StorageError: a step failed.
    """
    return measured_gas_limit(
        verifier.runtime_code,
        verifier.runtime_code_hash,
        bundle.manifest.tensor_layout,
        lambda: prove_sample(bundle, system, scratch=scratch, progress=progress),
        cache_dir=cache_dir,
    )
