"""What a registered model is, for people and as JSON: commitment, terms, circuits, identity."""

from collections.abc import Callable, Sequence
from typing import Any

from registry.lineage import Parent
from zkml.core.dids import did_of
from zkml.core.identifiers import DerivativeTerms, FeeTerms
from zkml.core.verifier_classes import class_name

_SINGULAR = {"parents": "parent", "circuits": "circuit"}


def describe_model(market: Any, model_id: int) -> tuple[dict[str, Any], str]:
    """Return all that the chain says of a model, as JSON and as text.

    Raises:
        NotRegisteredError: no such model.
    """
    facts = market.registry.facts(model_id)
    commitment = facts.commitment
    specs = [market.router.circuit(circuit_id) for circuit_id in commitment.circuit_ids]
    first = specs[0]
    circuits = [
        _circuit(market, model_id, circuit_id, spec)
        for circuit_id, spec in zip(commitment.circuit_ids, specs, strict=True)
    ]
    value = {
        "model_id": f"{model_id:#066x}",
        "name": printable(commitment.name),
        "status": facts.status.name,
        "owner": facts.owner,
        "publisher": facts.publisher,
        "account": facts.account,
        "did": did_of(market.chain.chain_id, facts.account),
        "licence": printable(commitment.licence),
        "closed": facts.is_closed,
        "predecessor": f"{commitment.predecessor:#066x}" if commitment.predecessor else None,
        "circuit_id": "0x" + commitment.circuit_id.hex(),
        "class": class_name(first.verifier_class),
        "onnx": "sha256:" + commitment.onnx_digest.hex(),
        "settings": "sha256:" + commitment.settings_digest.hex(),
        "manifest": "sha256:" + commitment.manifest_digest.hex(),
        "manifest_cid": printable(commitment.manifest_cid, 128),
        "dataset": _digest("sha256:", commitment.dataset_digest),
        "key_commitment": _digest("0x", commitment.key_commitment),
        "input": {
            "count": first.layout.input_count,
            "min": first.domain.minimum,
            "max": first.domain.maximum,
        },
        "output": {"count": first.layout.output_count},
        **describe_terms(
            facts.fees, facts.derivatives, market.lineage.parents_of(model_id), market.token.show
        ),
        "missing_genesis": ["0x" + circuit.hex() for circuit in facts.missing_genesis],
        "circuits": circuits,
    }
    return value, text_of(value)


def describe_terms(
    fees: FeeTerms,
    derivatives: DerivativeTerms,
    parents: Sequence[Parent],
    show: Callable[[int], str],
) -> dict[str, Any]:
    """Return what a model asks for, what its derivatives owe, and what it owes itself.

    Args:
        fees: of the model.
        derivatives: of the model.
        parents: with the rates offered or granted.
        show: writes an amount for people.
    """
    return {
        "fees": {
            "model_fee": show(fees.model_fee),
            "min_model_fee": show(fees.min_model_fee),
            "min_model_fee_ppm": fees.min_model_fee_ppm,
        },
        "derivatives": {
            "allowed": derivatives.derivatives_allowed,
            "min_rate_ppm": derivatives.min_rate_ppm,
            "min_model_fee": show(derivatives.min_model_fee),
            "min_model_fee_ppm": derivatives.min_model_fee_ppm,
        },
        "parents": [
            {"model_id": f"{parent.model_id:#066x}", "rate_ppm": parent.rate_ppm} for parent in parents
        ],
    }


def _circuit(market: Any, model_id: int, circuit_id: bytes, spec: Any) -> dict[str, Any]:
    return {
        "circuit_id": "0x" + circuit_id.hex(),
        "inputs_at_once": market.registry.batch_of(model_id, circuit_id),
        "class": class_name(spec.verifier_class),
        "tombstoned": market.router.is_tombstoned(circuit_id),
        "adapter": spec.adapter,
        "adapter_code_hash": "0x" + spec.adapter_code_hash.hex(),
        "verifying_key": "0x" + spec.verifying_key_digest.hex(),
        "weight_commitment": _digest("0x", spec.weight_commitment),
        "gas_limit": spec.gas_limit,
    }


def text_of(value: dict[str, Any]) -> str:
    """Return a description as text: a line for each fact that there is."""
    lines = []
    for name, found in value.items():
        if isinstance(found, list):
            lines += [f"{_SINGULAR.get(name, name):<16} {_inline(item)}" for item in found]
        elif found is not None:
            lines.append(f"{name:<16} {_inline(found)}")
    return "\n".join(lines)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {found}" for name, found in value.items() if found is not None)
    return str(value)


def _digest(prefix: str, digest: bytes) -> str | None:
    return prefix + digest.hex() if any(digest) else None


def printable(text: str, longest: int = 64) -> str:
    """Leave out what moves a terminal's cursor: strangers choose names."""
    return "".join(letter for letter in text if letter.isprintable())[:longest]
