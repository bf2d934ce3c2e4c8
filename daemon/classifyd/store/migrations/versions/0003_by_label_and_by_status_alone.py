"""The indexes by label and by status hold the id no longer.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """A few seconds for a million results."""
    for column in ("label", "status"):
        op.drop_index(f"results_by_{column}", "results")
        op.create_index(f"results_by_{column}", "results", [column])
