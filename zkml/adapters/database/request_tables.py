"""The tables of requests on tabs: what clients signed, and what this prover made of it.

signed_requests  requests that were accepted; what is not settled yet counts against its tab
request_stages   the output of each stage of a request, filed before the next begins
request_keys     idempotency keys: the same key twice is the same request
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from zkml.adapters.database.journal_tables import METADATA

SIGNED_REQUESTS = Table(
    "signed_requests",
    METADATA,
    Column("id", String(71), primary_key=True),
    Column("scope", String(200), nullable=False),
    Column("tab_id", String(66), nullable=False),
    # Of 256 bits, as the contract has them: no database counts that far, so they are decimal text.
    Column("nonce", String(78), nullable=False),
    Column("price", String(78), nullable=False),
    Column("expiry", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("scope", "tab_id", "nonce"),
    Index("signed_requests_by_state", "scope", "state"),
)

REQUEST_STAGES = Table(
    "request_stages",
    METADATA,
    Column("request", String(71), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("request", "stage"),
    ForeignKeyConstraint(["request"], ["signed_requests.id"]),
)

REQUEST_KEYS = Table(
    "request_keys",
    METADATA,
    Column("scope", String(200), nullable=False),
    Column("key", String(255), nullable=False),
    Column("fingerprint", String(71), nullable=False),
    Column("request", String(71), nullable=False),
    Column("kept_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("scope", "key"),
)

REQUEST_TABLES = (SIGNED_REQUESTS, REQUEST_STAGES, REQUEST_KEYS)
