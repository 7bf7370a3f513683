"""What `zkml registry register --seal` does before it registers: encrypt, keep the key, say where it is."""

import secrets
from dataclasses import dataclass, replace
from typing import Any, Self

from zkml.cli.options import Session


@dataclass
class Sealing:
    """The encryption of one bundle's model.

    Attributes:
        bundle: of the model.
        binding: what its key is for.
        places: where keys and files are.
        sealed: what came of it; None before.
    """

    bundle: Any
    binding: Any
    places: Any
    sealed: Any = None

    @classmethod
    def of(cls, session: Session, market: Any, publisher: str, bundle: Any) -> Self:
        """Return the encryption of a bundle for one chain and publisher; nothing is done yet."""
        from zkml.publish.sealed_publication import binding_for

        return cls(bundle, binding_for(market, publisher, bundle), places_of(session))

    def seal(self, session: Session, listing: Any) -> Any:
        """Encrypt, and return the listing with the commitment to the key.

        Raises:
            ZkmlError: see `seal_model`.
        """
        from zkml.publish.sealed_publication import seal_model

        with session.console.progress() as progress:
            self.sealed = sealed = seal_model(self.bundle, self.binding, self.places, progress=progress)
        made = "made" if sealed.kept.is_new else "found"
        session.console.note(
            f"{made} the key of the sealed model: {sealed.kept.path}\n"
            "back it up now, and show it to nobody: who has it has the model, and if it is lost before the "
            "reveal, the bond of the offering is lost with it"
        )
        if sealed.is_exposed:
            session.console.note(
                "warning: the store holds the same model unencrypted, from an earlier publication: "
                "do not hand that file out"
            )
        return replace(listing, key_commitment=sealed.key_commitment)

    def planned(self, listing: Any) -> Any:
        """Return the listing for a dry run: with the key's commitment, or a stand-in where there is none."""
        from zkml.publish.artifact_keys import find_key

        kept = find_key(self.places.keys, self.binding)
        return replace(
            listing, key_commitment=secrets.token_bytes(32) if kept is None else kept.key.commitment
        )

    def steps(self) -> list[str]:
        """Say in words what would be done before anything is sent."""
        from zkml.publish.artifact_keys import find_key

        kept = find_key(self.places.keys, self.binding)
        which = f"a new key, kept in {self.places.keys}" if kept is None else f"the key {kept.path}"
        size = self.bundle.manifest.files["onnx"].size_bytes
        return [f"encrypt the ONNX file ({size} bytes) with {which}"]

    def as_json(self) -> dict[str, Any]:
        """Return what was sealed, without the key."""
        from marketplace.sealed_store import record_path

        record = self.sealed.record
        return {
            **record.model_dump(mode="json"),
            "record": str(record_path(self.places.records, self.sealed.key_commitment)),
            "key_file": str(self.sealed.kept.path),
        }


def places_of(session: Session) -> Any:
    """Return where this home keeps keys and files of encrypted artifacts."""
    from zkml.publish.sealed_publication import SealingPlaces
    from zkml.wiring import open_store

    home = session.home
    return SealingPlaces(
        keys=home.artifact_keys,
        work=home.sealing,
        records=home.sealed,
        store=open_store(home),
    )
