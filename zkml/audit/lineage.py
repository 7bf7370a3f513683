"""What a model's lineage says: declared by its publisher, granted by the parents' terms, proved by nobody."""

from zkml.audit.chain_reader import ChainReader
from zkml.core.pricing import PPM


def declared_lineage(reader: ChainReader, model_id: int) -> str:
    """Return a model's declared ancestors and their shares of its revenue, in words; empty for a root.

    Raises:
        RpcError: the lineage registry's answer does not decode.
    """
    (shares,) = reader.view("lineage", "sharesOf", model_id)
    if not shares:
        return ""
    (is_effective,) = reader.view("lineage", "isEffective", model_id)
    parts = ", ".join(f"{100 * ppm / PPM:g} % to {ancestor:#x}" for ancestor, ppm in shares)
    return f"lineage as declared, which no proof shows: {parts} ({'' if is_effective else 'not '}effective)"
