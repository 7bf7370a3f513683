"""Open a bundle's verifying key: three files of anybody's become a statement that means something.

A key that comes from elsewhere is hostile. So its program is checked for coverage and size, its points are
checked, the manifest must repeat the settings, and the digest that every proof begins with is computed here,
from the settings and the SRS at hand.

Source: octet.md 3.5 (coverage), 3.10 (vk_digest); 3.0 item 15.
"""

from dataclasses import dataclass

from circuits.bundle import VERIFYING_ROLES, Bundle
from circuits.octet.bundle_bytes import read_role
from circuits.octet.key_files import MAX_VERIFYING_KEY_BYTES, read_verifying_key
from circuits.octet.opened_cache import OpenedCache
from circuits.octet.settings import MAX_SETTINGS_BYTES, CircuitSettings, check_settings, parse_settings
from circuits.octet.spec.pairing import G2Point
from circuits.octet.spec.statement import VerifyingKey
from circuits.octet.srs_tau import tau_of
from circuits.octet.version import SYSTEM, VERSION
from circuits.srs_file import G2_BYTES, VERIFICATION_LOGROWS, file_length_bytes
from zkml.core.digests import digest_of
from zkml.core.manifest import BundleManifest
from zkml.errors import CircuitError, ManifestError, SrsError

_HINT = "rebuild or re-download the bundle"


@dataclass(frozen=True, eq=False)
class OpenedKey:
    """A verifying key that was checked.

    Attributes:
        settings: the program and how its tensors are packed.
        verifying: program, commitments, digest.
        reference: hash of the integer graph. 32 bytes.
        tau_g2: [tau]_2.
    """

    settings: CircuitSettings
    verifying: VerifyingKey
    reference: bytes
    tau_g2: G2Point


def open_key(bundle: Bundle) -> OpenedKey:
    """Open a bundle's key, once per process while it is in use.

    Raises:
        ArtifactError: a file is missing, changed, too large, not what its role says, or contradicts the
            manifest.
        CircuitError: the bundle is of another version of this system.
    """
    return _OPENED.get(bundle, _open)


def open_settings(bundle: Bundle) -> CircuitSettings:
    """Read a bundle's settings and check that the manifest repeats them.

    Raises:
        ArtifactError, CircuitError: as `open_key`.
    """
    _check_version(bundle.manifest)
    settings = parse_settings(read_role(bundle, "settings", MAX_SETTINGS_BYTES))
    check_settings(settings, bundle.manifest)
    return settings


def make_opened(
    manifest: BundleManifest, settings: CircuitSettings, verifying_key: bytes, g2_points: bytes
) -> OpenedKey:
    """Make a key from the bytes of its files.

    Args:
        manifest: which says what SRS it is.
        settings: of the bundle, checked.
        verifying_key: the file.
        g2_points: the last 256 bytes of the SRS.

    Raises:
        ManifestError: a file is not what its role says, or the SRS is another one.
    """
    if digest_of(g2_points) != manifest.srs.tau_g2:
        raise ManifestError(
            f"expected the G2 points {manifest.srs.tau_g2}, found others in the SRS", hint=_HINT
        )
    try:
        tau_g2 = tau_of(g2_points)
    except SrsError as error:
        raise ManifestError(error.message, hint=_HINT) from error
    verifying, reference = read_verifying_key(verifying_key, settings.program, settings.port.digest(), tau_g2)
    return OpenedKey(settings, verifying, reference, tau_g2)


def _open(bundle: Bundle) -> OpenedKey:
    settings = open_settings(bundle)
    data = read_role(bundle, "verifying_key", MAX_VERIFYING_KEY_BYTES)
    srs = read_role(bundle, "verification_srs", file_length_bytes(VERIFICATION_LOGROWS))
    return make_opened(bundle.manifest, settings, data, srs[-G2_BYTES:])


def _check_version(manifest: BundleManifest) -> None:
    if (manifest.system, manifest.system_version) != (SYSTEM, VERSION):
        raise CircuitError(
            f"expected a circuit of {SYSTEM} {VERSION}, "
            f"found one of {manifest.system} {manifest.system_version}",
            hint="install the zkml that made it, or compile the model again",
        )


_OPENED = OpenedCache[OpenedKey](VERIFYING_ROLES, size=16)
