"""Results, outbox and the instance's name.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_POSITION = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """From an empty database."""
    op.create_table(
        "results",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("origin", sa.Text, nullable=False, unique=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("path", sa.Text),
        sa.Column("stored_path", sa.Text),
        sa.Column("topic", sa.Text),
        sa.Column("partition", sa.Integer),
        sa.Column("offset", sa.BigInteger),
        sa.Column("sha256", sa.Text),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text),
        sa.Column("class_index", sa.Integer),
        sa.Column("label", sa.Text),
        sa.Column("confidence", sa.Float),
        sa.Column("top", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("error_detail", sa.Text),
        sa.Column("received_at", sa.Text, nullable=False),
        sa.Column("classified_at", sa.Text, nullable=False),
    )
    op.create_index("results_by_label", "results", ["label", "id"])
    op.create_index("results_by_status", "results", ["status", "id"])
    op.create_index("results_by_sha256", "results", ["sha256", "id"])

    op.create_table(
        "outbox",
        sa.Column("position", _POSITION, primary_key=True),
        sa.Column("result_id", sa.Text, sa.ForeignKey("results.id"), nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary),
        sa.Column("published_at", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_by_result", "outbox", ["result_id"])
    waits = sa.text("published_at IS NULL")
    op.create_index(
        "outbox_unpublished", "outbox", ["topic", "position"], sqlite_where=waits, postgresql_where=waits
    )
    published = sa.text("published_at IS NOT NULL")
    op.create_index(
        "outbox_published", "outbox", ["published_at"], sqlite_where=published, postgresql_where=published
    )

    op.create_table("instance", sa.Column("id", sa.Text, primary_key=True))
