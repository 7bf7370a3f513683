"""The tables of a prover node's journal.

cursors       how far the node has read the chain
requests      jobs the node has seen, and what became of each
stages        the output of each stage, filed before the next begins; never changed
transactions  signed transactions, kept before they are broadcast
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = 1

METADATA = MetaData()

_DIGEST = String(71)

VERSIONS = Table(
    "journal_version",
    METADATA,
    Column("version", Integer, primary_key=True),
)

CURSORS = Table(
    "cursors",
    METADATA,
    Column("scope", String(200), primary_key=True),
    Column("block", BigInteger, nullable=False),
)

REQUESTS = Table(
    "requests",
    METADATA,
    Column("digest", _DIGEST, primary_key=True),
    Column("scope", String(200), nullable=False),
    Column("job_id", String(66), nullable=False),
    Column("opened_block", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("claim_number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Index("requests_by_state", "scope", "state"),
)

STAGES = Table(
    "stages",
    METADATA,
    Column("request", _DIGEST, nullable=False),
    Column("claim_number", Integer, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("request", "claim_number", "stage"),
    ForeignKeyConstraint(["request"], ["requests.digest"]),
)

TRANSACTIONS = Table(
    "transactions",
    METADATA,
    Column("request", _DIGEST, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    # Not unique: on two chains of one id, an account's first transactions may be the same to the byte.
    Column("hash", String(66), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("sender", String(42), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("what", String(100), nullable=False),
    Column("abandoned", Text, nullable=False),
    PrimaryKeyConstraint("request", "purpose", "attempt"),
    ForeignKeyConstraint(["request"], ["requests.digest"]),
)
