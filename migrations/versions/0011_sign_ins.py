"""Sign-ins: when, how and from where somebody tried to sign in to an account, and how it went."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Begin to keep them."""
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("fold", _folded(120), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("how", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sign_ins_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ins"),
        sa.UniqueConstraint("fold", name="uq_sign_ins_fold"),
    )
    op.create_index("ix_sign_ins_user_id_last_at_id", "sign_ins", ["user_id", "last_at", "id"])
    op.create_index("ix_sign_ins_last_at", "sign_ins", ["last_at"])


def downgrade() -> None:
    """Forget them."""
    op.drop_table("sign_ins")


def _folded(length: int) -> sa.String:
    """Text that is compared byte by byte whatever the database's collation."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
