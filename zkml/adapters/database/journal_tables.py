"""The tables of a prover node's journal.

cursors            how far the node has read the chain
blocks             hashes of the latest blocks it has read, by which it knows a reorg
requests           jobs the node has seen, and what became of each
stages             the output of each stage, filed before the next begins; never changed
sent_transactions  signed transactions, kept before they are broadcast
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

SCHEMA_VERSION = 2

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

BLOCKS = Table(
    "blocks",
    METADATA,
    Column("scope", String(200), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("hash", String(66), nullable=False),
    PrimaryKeyConstraint("scope", "number"),
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
    Index("requests_by_job", "scope", "job_id"),
)

JOB_INDEX = next(index for index in REQUESTS.indexes if index.name == "requests_by_job")
"""Since version 2; strangers ask a node's API for jobs by their id."""

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
    "sent_transactions",
    METADATA,
    Column("scope", String(200), nullable=False),
    # The digest of a job's request, or the id of a request on a tab, or whatever else it is sent for.
    Column("key", _DIGEST, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    # Not unique: on two chains of one id, an account's first transactions may be the same to the byte.
    Column("hash", String(66), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("sender", String(42), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("what", String(100), nullable=False),
    Column("abandoned", Text, nullable=False),
    PrimaryKeyConstraint("scope", "key", "purpose", "attempt"),
    Index("sent_transactions_by_nonce", "scope", "sender", "nonce"),
)
