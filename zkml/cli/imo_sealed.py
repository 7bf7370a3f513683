"""The encrypted artifact behind an offering: found, checked, and held against its key."""

from pathlib import Path
from typing import Any

import click

from zkml.cli.options import Session
from zkml.errors import ArtifactNotFoundError, BindingError, MarketError

sealed_option = click.option(
    "--sealed",
    type=click.Path(path_type=Path),
    help="The published file, where it is not among this home's artifacts.",
)


def key_commitment_of(market: Any, model: int) -> bytes:
    """Return what a model's publisher committed to as the key of its artifact.

    Raises:
        MarketError: nothing.
        NotRegisteredError: no such model.
    """
    found: bytes = market.registry.commitment_of(model).key_commitment
    if not any(found):
        raise MarketError(
            f"expected a model with an encrypted artifact, found none of model {model:#x}",
            hint="publish it sealed: zkml registry register BUNDLE --seal",
        )
    return found


def checked_sealed_file(session: Session, market: Any, model: int, artifact: Any, given: Path | None) -> Path:
    """Return the published file of an artifact, after checking that it is the one committed to.

    Args:
        session: its home has artifacts; its console shows progress.
        market: chain and contracts.
        model: what is offered.
        artifact: as the offering has it.
        given: a file from elsewhere; that of the home's artifacts when None.

    Raises:
        ArtifactNotFoundError: it is not here.
        FormatError: it has another size, or its record is damaged.
        DigestMismatchError: it is another file: do not buy.
        StorageError: it cannot be read.
    """
    from marketplace.sealed_files import check_sealed_file
    from marketplace.sealed_store import fetch_sealed
    from zkml.wiring import open_store

    with session.console.progress() as progress:
        if given is not None:
            check_sealed_file(given, artifact, progress=progress)
            return given
        commitment = key_commitment_of(market, model)
        try:
            return fetch_sealed(
                open_store(session.home), session.home.sealed, commitment, artifact, progress=progress
            )
        except ArtifactNotFoundError as error:
            raise ArtifactNotFoundError(
                error.message,
                hint=f"zkml model fetch {model:#x} URL, with the creator's URL, or give it: --sealed FILE",
                **error.context,
            ) from error


def check_for_buyer(
    session: Session, market: Any, facts: Any, given: Path | None, *, unchecked: bool
) -> str | None:
    """Check the published file before somebody buys; return its path, or None where nobody looked."""
    if unchecked:
        session.console.note(
            "warning: the sealed file was not checked: without the one committed to, nobody can open what "
            "you buy, or refute the reveal"
        )
        return None
    check_openable(facts.artifact)
    return str(checked_sealed_file(session, market, facts.model_id, facts.artifact, given))


def check_openable(artifact: Any) -> None:
    """Check that an artifact is small enough to be opened and judged once its key is revealed.

    Raises:
        MarketError: it is larger than any model that is read.
    """
    from zkml.export.reading import MAX_MODEL_BYTES

    if artifact.size_bytes > MAX_MODEL_BYTES:
        raise MarketError(
            f"expected an artifact of at most {MAX_MODEL_BYTES} bytes, found one of {artifact.size_bytes}",
            hint="nobody could tell whether it is what was proved: zkml model open reads no larger one",
        )


def sold_artifact(session: Session, market: Any, model: int) -> Any:
    """Return the `Artifact` that this home sealed for a model, after opening it with the key once.

    Raises:
        ArtifactNotFoundError: there is no record, or no file.
        KeyFileError: the key is not here, or readable by others.
        DigestMismatchError: the key does not open the file: whoever sold it would lose the bond.
        FormatError, StorageError: see `own_artifact`.
    """
    from zkml.cli.sealing import places_of
    from zkml.publish.sealed_publication import own_artifact

    commitment = key_commitment_of(market, model)
    with session.console.progress() as progress:
        artifact = own_artifact(places_of(session), commitment, progress=progress).artifact
    check_openable(artifact)
    return artifact


def own_key(session: Session, market: Any, model: int) -> Any:
    """Return the `ArtifactKey` that this home keeps for a model; raises KeyFileError."""
    from zkml.publish.artifact_keys import key_of

    return key_of(session.home.artifact_keys, key_commitment_of(market, model))


def check_key(path: Path, artifact: Any, key: Any) -> None:
    """Check that a key opens every chunk of a published file to what was committed to.

    Raises:
        BindingError: it does not.
    """
    from marketplace.opening import find_wrong_chunk

    wrong = find_wrong_chunk(path, artifact, key)
    if wrong is not None:
        raise BindingError(
            f"expected a key that opens every chunk, found that chunk {wrong} of {path} would be refuted",
            hint="revealed as it is, it can be refuted, and the bond is lost: look for the right key or file",
            index=wrong,
        )
