"""Sessions: a row for each browser in which somebody is signed in. Everybody signs in anew once."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. Cookies of before name no row of it."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("digest", _folded(64), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proved_by", sa.String(length=40), nullable=False),
        sa.Column("remembered", sa.Boolean(), nullable=False),
        sa.Column("agent", sa.String(length=300), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sessions_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
    )
    op.create_index("ix_sessions_user_id_last_seen_at", "sessions", ["user_id", "last_seen_at"])
    op.create_index(
        "ix_sessions_remembered_last_seen_at", "sessions", ["remembered", "last_seen_at"]
    )


def downgrade() -> None:
    """Take it away; everybody signs in anew."""
    op.drop_table("sessions")


def _folded(length: int) -> sa.String:
    """Text that is compared byte by byte whatever the database's collation."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
