"""What a bundle's settings say of its size, for people; nothing above `circuits` knows which system it is."""

from circuits.bundle import Bundle


def circuit_facts(bundle: Bundle) -> dict[str, int]:
    """Return named numbers of a circuit, from the settings alone.

    Args:
        bundle: opened with the role settings at least.

    Returns:
        For OCTET the rows, committed columns and relations; none for a system that says nothing more than
        its manifest.

    Raises:
        ArtifactError, CircuitError: the settings are not what the manifest says.
    """
    if bundle.manifest.system != "octet":
        return {}
    from circuits.octet.opened_key import open_settings  # noqa: PLC0415 each system is imported only when needed

    program = open_settings(bundle).program
    return {
        "rows": program.rows,
        "log_rows": program.nu,
        "columns": len(program.columns),
        "committed_columns": len(program.first_columns) + len(program.second_columns),
        "key_columns": program.vk_columns,
        "relations": len(program.relations),
        "shift_bits": program.shift,
    }
