"""What stands in the paths of the API: forms that are checked before anything is looked up."""

from typing import Annotated

from fastapi import Path

from zkml.core.cid import CID_PATTERN

DidPath = Annotated[
    str,
    Path(
        description="Decentralized identifier of a model.",
        pattern=r"^did:ethr:0x[1-9a-f][0-9a-f]{0,15}:0x[0-9a-fA-F]{40}$",
        max_length=128,
        examples=["did:ethr:0x7a69:0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
    ),
]
"""A model in a path."""
IdPath = Annotated[
    str,
    Path(
        description="A job's id, or the digest of a signed request.",
        pattern=r"^0x[0-9a-f]{64}$",
        examples=["0x" + 64 * "0"],
    ),
]
CidPath = Annotated[
    str,
    Path(
        description="CIDv1 of a manifest or a published artifact.",
        pattern=CID_PATTERN,
        examples=["bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"],
    ),
]
