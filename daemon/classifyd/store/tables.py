"""The tables as the code of this version sees them; `migrations` brings a database here.

Times are UTC text as `core.times` writes it. Ids are ULIDs, so that the newest result has the greatest id.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    literal_column,
    text,
)

# SQLite numbers rows by itself only where the type is spelt INTEGER.
Position = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

results = Table(
    "results",
    metadata,
    Column("id", Text, primary_key=True),
    Column("origin", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("name", Text),
    Column("path", Text),
    Column("stored_path", Text),
    Column("topic", Text),
    Column("partition", Integer),
    Column("offset", BigInteger),
    Column("sha256", Text),
    Column("size_bytes", BigInteger, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("status", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("model_version", Text),
    Column("class_index", Integer),
    Column("label", Text),
    Column("confidence", Float),
    Column("top", Text),
    Column("error_code", Text),
    Column("error_detail", Text),
    Column("received_at", Text, nullable=False),
    Column("classified_at", Text, nullable=False),
    Index("results_by_label", "label", "id"),
    Index("results_by_status", "status", "id"),
)

sha256_begins = func.substr(results.c.sha256, literal_column("1"), literal_column("1"))
# Hashes are random: by the whole of it every row would change a page of its own, which at a million rows
# doubles what recording costs. By its first digit rows are appended at sixteen places; whoever looks for a
# hash reads a sixteenth of the index, 20 ms of a million rows.
Index("results_by_sha256", sha256_begins, results.c.id, results.c.sha256)

# `value` is NULL once the message is published: the broker and the result have it.
outbox = Table(
    "outbox",
    metadata,
    Column("position", Position, primary_key=True),
    Column("result_id", Text, ForeignKey("results.id"), nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary),
    Column("headers", Text, nullable=False),
    Column("value", LargeBinary),
    Column("published_at", Text),
    Index("outbox_by_result", "result_id"),
    sqlite_autoincrement=True,
)

_waits = text("published_at IS NULL")
Index("outbox_unpublished", outbox.c.topic, outbox.c.position, sqlite_where=_waits, postgresql_where=_waits)

_is_published = text("published_at IS NOT NULL")
Index(
    "outbox_published",
    outbox.c.published_at,
    sqlite_where=_is_published,
    postgresql_where=_is_published,
)

instance = Table("instance", metadata, Column("id", Text, primary_key=True))
