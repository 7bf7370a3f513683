"""Open a bundle's integer graph, so that inputs can be computed: its program must be the settings' own."""

from dataclasses import dataclass

from circuits.bundle import Bundle
from circuits.octet.bundle_bytes import read_role
from circuits.octet.compile.graph_file import read_graph
from circuits.octet.compile.graph_size import block_rows
from circuits.octet.compile.lower import Lowered, lower
from circuits.octet.opened_cache import OpenedCache
from circuits.octet.opened_key import open_settings
from circuits.octet.settings import CircuitSettings
from zkml.errors import CircuitError, DomainError, FormatError, ManifestError, ModelError

MAX_GRAPH_BYTES = 256 << 20
_HINT = "rebuild or re-download the bundle"


@dataclass(frozen=True, eq=False)
class OpenedNetwork:
    """What a bundle computes.

    Attributes:
        settings: the program and how its tensors are packed.
        lowered: the integer graph and the program it gives, which is the settings'.
    """

    settings: CircuitSettings
    lowered: Lowered


def open_network(bundle: Bundle) -> OpenedNetwork:
    """Open a bundle's network, once per process while it is in use.

    Raises:
        ArtifactError: a file is missing, changed or too large, or the graph is not what the settings state.
        CircuitError: the bundle is of another version of this system.
    """
    return _OPENED.get(bundle, _open)


def _open(bundle: Bundle) -> OpenedNetwork:
    settings = open_settings(bundle)
    data = read_role(bundle, "compiled_circuit", MAX_GRAPH_BYTES)
    try:
        found = _lowered(data, settings)
    except (FormatError, ModelError, CircuitError, DomainError) as error:
        raise ManifestError(f"{error.message} in the compiled circuit", hint=_HINT) from error
    if found.program != settings.program:
        raise ManifestError(
            "expected the compiled circuit of the settings' program, found one of another", hint=_HINT
        )
    return OpenedNetwork(settings, found)


def _lowered(data: bytes, settings: CircuitSettings) -> Lowered:
    graph, rows = read_graph(data), settings.program.rows
    # The settings are bounded already: nothing larger than their program is worked out.
    port = settings.port
    found = port.batch * block_rows(graph)
    if found > rows:
        raise FormatError(f"expected blocks of at most {rows} rows, found {found}")
    width, nu = port.layout.input_bytes, settings.program.nu
    return lower(graph, port.byte_domain, nu=nu, width=width, batch=port.batch)


_OPENED = OpenedCache[OpenedNetwork](("settings", "compiled_circuit"), size=8)
