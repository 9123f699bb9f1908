"""Mail: the outbox, why it is held, the development mailbox, and the worker's heartbeat."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of the outbox and of the worker."""
    op.create_table(
        "captured_mails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("message_id", sa.String(length=320), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_captured_mails"),
    )
    op.create_index("ix_captured_mails_captured_at", "captured_mails", ["captured_at"])
    op.create_index("ix_captured_mails_recipient_id", "captured_mails", ["recipient", "id"])

    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_heartbeats"),
    )
    op.create_table(
        "mail_pauses",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mail_pauses"),
    )
    op.create_table(
        "mails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(length=320), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("give_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(length=80), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dropped_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name="fk_mails_user_id_users",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
        sa.UniqueConstraint("message_id", name="uq_mails_message_id"),
    )
    op.create_index(
        "ix_mails_delivered",
        "mails",
        ["delivered_at", "id"],
        sqlite_where=sa.text("delivered_at IS NOT NULL"),
        postgresql_where=sa.text("delivered_at IS NOT NULL"),
    )
    op.create_index(
        "ix_mails_dropped",
        "mails",
        ["dropped_at", "id"],
        sqlite_where=sa.text("dropped_at IS NOT NULL"),
        postgresql_where=sa.text("dropped_at IS NOT NULL"),
    )
    op.create_index(
        "ix_mails_failed",
        "mails",
        ["failed_at", "id"],
        sqlite_where=sa.text("failed_at IS NOT NULL"),
        postgresql_where=sa.text("failed_at IS NOT NULL"),
    )
    op.create_index("ix_mails_kind_posted_at", "mails", ["kind", "posted_at"])
    op.create_index(
        "ix_mails_open",
        "mails",
        ["due_at", "id"],
        sqlite_where=sa.text("delivered_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"),
        postgresql_where=sa.text(
            "delivered_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"
        ),
    )
    op.create_index("ix_mails_posted_at_id", "mails", ["posted_at", "id"])
    op.create_index("ix_mails_recipient_posted_at", "mails", ["recipient", "posted_at"])
    op.create_index("ix_mails_user_id_posted_at", "mails", ["user_id", "posted_at"])


def downgrade() -> None:
    """Remove them; mail that waits is lost."""
    op.drop_table("mails")
    op.drop_table("mail_pauses")
    op.drop_table("heartbeats")

    op.drop_table("captured_mails")
