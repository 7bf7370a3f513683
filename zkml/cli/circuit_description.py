"""A circuit bundle, and the choice of its proof system, in words and as JSON."""

from typing import TYPE_CHECKING, Any

from zkml.cli.console import table

if TYPE_CHECKING:
    from circuits.port import ErrorBudget
    from zkml.publish.system_choice import Candidate, Choice


def describe_bundle(bundle: Any) -> tuple[dict[str, Any], str]:
    """Return a bundle's description as JSON and as text."""
    from circuits.circuit_facts import circuit_facts

    manifest, facts = bundle.manifest, circuit_facts(bundle)
    value = {
        "path": str(bundle.path),
        "circuit": manifest.circuit,
        "manifest_digest": bundle.manifest_digest,
        "manifest_cid": bundle.manifest_cid,
        "facts": facts,
        "manifest": manifest.model_dump(mode="json"),
    }
    layout, domain, scale = manifest.tensor_layout, manifest.input_domain, 1 << manifest.input_scale_bits
    size = sum(entry.size_bytes for entry in manifest.files.values())
    ceremony = "" if manifest.srs.secure else "  INSECURE: for local chains only"
    lines = [
        f"bundle         {bundle.path}",
        f"name           {manifest.name}",
        f"system         {manifest.system} {manifest.system_version}",
        f"circuit        {manifest.circuit}",
        f"verifying key  {manifest.verifying_key}",
        f"weights        {_weights(manifest)}",
        f"manifest       {bundle.manifest_digest}",
        f"manifest CID   {bundle.manifest_cid}",
        f"input          {manifest.input_shape}, {layout.input_count} x {layout.input_bytes} bytes",
        f"input domain   {domain.minimum}..{domain.maximum} at scale 1/{scale}",
        f"output         {manifest.output_shape}, {layout.output_count} x {layout.output_bytes} bytes",
        *_size(facts),
        f"inputs at once {manifest.batch}",
        f"proof          {manifest.proof_bytes} bytes",
        f"SRS            {manifest.srs.name}, 2^{manifest.srs.logrows} rows{ceremony}",
        f"max error      {manifest.fidelity.max_abs_error:.4g} on {manifest.fidelity.samples} samples",
        f"argmax agrees  {manifest.fidelity.argmax_agreement:.2%}",
        f"files          {len(manifest.files)}, {size / 1e6:.1f} MB",
    ]
    return value, "\n".join(lines)


def describe_choice(choice: "Choice") -> str:
    """Return what each system makes of the model, and which one was taken, for people."""
    rows = [
        [
            candidate.system,
            "compiled" if candidate.is_compiled else "refused" if candidate.refusal else "not compiled",
            _number(candidate.max_abs_error, ".4g"),
            _number(candidate.argmax_agreement, ".2%"),
            _remark(candidate),
        ]
        for candidate in choice.candidates
    ]
    lines = [
        table(["system", "outcome", "max error", "argmax agrees", "remark"], rows),
        f"budget: {_budget(choice.budget)}",
        f"taken: {choice.bundle.manifest.system}, since {choice.reason}",
    ]
    return "\n".join(lines)


def _budget(budget: "ErrorBudget") -> str:
    error = (
        f"{budget.relative_error:.2g} of the largest output"
        if budget.max_abs_error is None
        else f"{budget.max_abs_error:.4g}"
    )
    return f"an error of at most {error}, argmax on {budget.min_argmax_agreement:.0%} of the samples"


def _remark(candidate: "Candidate") -> str:
    if candidate.refusal or candidate.is_compiled:
        return candidate.refusal
    return "its operators are supported; its error is not known without compiling"


def _number(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)


def _size(facts: dict[str, int]) -> list[str]:
    """Return a line of the proof system's own numbers, where it tells any; log_rows only repeats rows."""
    told = {name: value for name, value in facts.items() if name != "log_rows"}
    named = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items())
    return [f"size           {named}"] if named else []


def _weights(manifest: Any) -> str:
    if manifest.param_visibility == "fixed":
        return "fixed in the verifying key"
    return f"committed: 0x{manifest.weight_commitment.hex()}"
