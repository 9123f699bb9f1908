"""The budget: what each mailbox got within a day, so that nobody can be flooded."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Begin to count."""
    op.create_table(
        "mail_spendings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox", _folded(64), nullable=False),
        sa.Column("budget", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("serves_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mail_spendings"),
    )
    op.create_index(
        "ix_mail_spendings_mailbox_budget_at", "mail_spendings", ["mailbox", "budget", "at"]
    )
    op.create_index("ix_mail_spendings_at", "mail_spendings", ["at"])


def downgrade() -> None:
    """Forget what was counted."""
    op.drop_table("mail_spendings")


def _folded(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
