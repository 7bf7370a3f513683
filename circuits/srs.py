"""A directory of SRS files: the ceremony's by import, insecure ones by making them here.

Whoever knows tau can prove anything. A ceremony's tau is unknown as long as one participant was honest;
the tau of a file made here was in this machine's memory. Such a file is named `insecure-local`, is marked
in every manifest made with it, and is accepted on local chain ids only.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from circuits.file_identity import identify_file
from circuits.srs_file import (
    MAX_LOGROWS,
    Ceremony,
    file_length_bytes,
    identify_srs,
    published_ceremonies,
)
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, ChildOptions
from zkml.core.manifest import INSECURE_SRS_NAME, SrsIdentity
from zkml.errors import ArtifactNotFoundError, SrsError, StorageError

MakeSrs = Callable[[Path, int], None]
"""Writes an insecure file for so many logrows; raises SrsError or StorageError."""


class SrsStore:
    """SRS files under one directory, `<name>-<logrows>.srs`."""

    def __init__(self, directory: Path) -> None:
        """Use `directory`, which the first write creates."""
        self._directory = directory

    def find(
        self,
        logrows: int,
        *,
        allow_insecure: bool,
        options: ChildOptions = DEFAULT_OPTIONS,
        larger: bool = False,
        make: MakeSrs | None = None,
    ) -> Path:
        """Return the file for exactly `logrows`: a ceremony's if imported, else one made here.

        A larger file would do for EZKL, too, but it cuts it down anew at every proof.

        Args:
            logrows: log2 of the circuit's rows.
            allow_insecure: make an insecure file where no ceremony's is there.
            options: limits and progress of the child that makes it.
            larger: take a ceremony's file for more rows where there is none for exactly these.
            make: makes an insecure file; EZKL does when None.

        Raises:
            SrsError: no ceremony file is there, and an insecure one is not wanted.
        """
        for size in range(logrows, MAX_LOGROWS + 1 if larger else logrows + 1):
            for ceremony in published_ceremonies():
                path = self._path(ceremony.name, size)
                if path.exists():
                    return path
        if allow_insecure:
            return self.generate_insecure(logrows, options=options, make=make)
        raise SrsError(
            f"expected a ceremony's SRS for logrows {logrows}, found none in {self._directory}",
            hint=f"import perpetual-powers-of-tau-raw-{logrows}, or allow an insecure one for a local chain",
            logrows=logrows,
        )

    def generate_insecure(
        self, logrows: int, *, options: ChildOptions = DEFAULT_OPTIONS, make: MakeSrs | None = None
    ) -> Path:
        """Return the insecure file for `logrows`, making it the first time.

        Args:
            logrows: log2 of the rows.
            options: limits and progress of the child that makes it.
            make: makes it instead of EZKL.

        Raises:
            SrsError: logrows out of range, or it could not be made.
            StorageError: no space.
        """
        if not 1 <= logrows <= MAX_LOGROWS:
            raise SrsError(f"expected logrows in 1..{MAX_LOGROWS}, found {logrows}")
        final = self._path(INSECURE_SRS_NAME, logrows)
        if final.exists() and final.stat().st_size == file_length_bytes(logrows):
            return final
        partial = self._partial()
        try:
            if make is None:
                client.gen_srs(partial, logrows, options=options)
            else:
                make(partial, logrows)
            identify_srs(partial)
            self._publish(partial, final)
        finally:
            partial.unlink(missing_ok=True)
        return final

    def stored(self, identity: SrsIdentity) -> Path:
        """Return the file of exactly this identity; none is made.

        Raises:
            SrsError: it is not here.
        """
        path = self._path(identity.name, identity.logrows)
        if path.exists() and identify_srs(path) == identity:
            return path
        raise SrsError(
            f"expected the SRS {identity.name} for logrows {identity.logrows} with the G2 points of "
            f"{identity.tau_g2}, found none in {self._directory}",
            hint="import the ceremony's file: --srs FILE of zkml circuit compile, or of zkml model open"
            if identity.secure
            else "it was made on another machine: only its owner can hand it out",
            logrows=identity.logrows,
        )

    def import_file(self, path: Path) -> SrsIdentity:
        """Copy a ceremony's file into the store after checking it against the published digest.

        Raises:
            SrsError: not an SRS file, of an unknown ceremony, or not byte for byte the published file.
            StorageError: no space.
        """
        identity = identify_srs(path)
        ceremony = _published(identity, path)
        try:
            found = identify_file(path).digest
        except ArtifactNotFoundError as error:
            raise SrsError(error.message) from error
        expected = ceremony.files.get(identity.logrows)
        if found != expected:
            raise SrsError(
                f"expected {expected} for logrows {identity.logrows} of {ceremony.name}, "
                f"found {found} in {path}",
                hint="download the file again",
            )
        partial = self._partial()
        try:
            shutil.copyfile(path, partial)
            self._publish(partial, self._path(ceremony.name, identity.logrows))
        except OSError as error:
            raise StorageError(f"expected space for an SRS, found {error.strerror} at {path}") from error
        finally:
            partial.unlink(missing_ok=True)
        return identity

    def _path(self, name: str, logrows: int) -> Path:
        return self._directory / f"{name}-{logrows}.srs"

    def _partial(self) -> Path:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._directory, suffix=".partial")
        except OSError as error:
            raise StorageError(
                f"expected a writable directory, found {error.strerror} at {self._directory}"
            ) from error
        os.close(descriptor)
        return Path(name)

    @staticmethod
    def _publish(partial: Path, final: Path) -> None:
        partial.chmod(0o644)
        partial.replace(final)


def _published(identity: SrsIdentity, path: Path) -> Ceremony:
    for ceremony in published_ceremonies():
        if ceremony.tau_g2 == identity.tau_g2:
            return ceremony
    known = ", ".join(ceremony.name for ceremony in published_ceremonies())
    raise SrsError(
        f"expected a file of a published ceremony ({known}), found {identity.tau_g2} in {path}",
        hint="an SRS of unknown origin is no safer than one made here",
    )
