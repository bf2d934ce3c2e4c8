"""Indexes that hold less: by label and by status without the id, by hash its first digits at four places.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_QUARTER = "CASE WHEN (sha256 < '4') THEN 0 WHEN (sha256 < '8') THEN 1 WHEN (sha256 < 'c') THEN 2 ELSE 3 END"


def upgrade() -> None:
    """Some ten seconds for a million results."""
    for name in ("results_by_label", "results_by_status", "results_by_sha256"):
        op.drop_index(name, "results")
    op.create_index("results_by_label", "results", ["label"])
    op.create_index("results_by_status", "results", ["status"])
    op.create_index(
        "results_by_sha256", "results", [sa.text(_QUARTER), "id", sa.text("substr(sha256, 1, 8)")]
    )
