"""Accounts: people, roles, access levels, agents, the audit trail and notifications."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


STATUS = """CASE
    WHEN erased_at IS NOT NULL THEN 'erased'
    WHEN suspended_at IS NOT NULL THEN 'suspended'
    WHEN rejected_at IS NOT NULL THEN 'rejected'
    WHEN confirmed_at IS NULL THEN 'unconfirmed'
    WHEN approved_at IS NULL THEN 'pending'
    ELSE 'approved'
END"""

LEVELS = (("guest", 10), ("standard", 20), ("extended", 30))

ROLES = (
    ("reviewer", 10, ["review"], "standard"),
    ("manager", 20, ["review", "manage"], "extended"),
    ("administrator", 30, ["review", "manage", "administer"], "extended"),
)


def upgrade() -> None:
    """Make the tables, the search over accounts, and the first levels and roles."""
    _make_tables()
    if op.get_bind().dialect.name == "postgresql":
        _make_search_on_postgresql()
    else:
        _make_search_on_sqlite()
    _make_levels_and_roles()


def downgrade() -> None:
    """Remove everything; what people entered is lost."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE users_search")
    for table in (
        "users_roles",
        "staff_invitations",
        "notifications",
        "audit_entries",
        "users",
        "roles",
        "agents",
        "access_levels",
    ):
        op.drop_table(table)


def _make_tables() -> None:
    op.create_table(
        "access_levels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.CheckConstraint("rank > 0", name="ck_access_levels_rank_positive"),
        sa.PrimaryKeyConstraint("id", name="pk_access_levels"),
        sa.UniqueConstraint("name", name="uq_access_levels_name"),
        sa.UniqueConstraint("rank", name="uq_access_levels_rank"),
    )
    op.create_table(
        "agents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("access_level_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('agent', 'app')", name="ck_agents_kind"),
        sa.ForeignKeyConstraint(
            ["access_level_id"],
            ["access_levels.id"],
            name="fk_agents_access_level_id_access_levels",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
        sa.UniqueConstraint("name", name="uq_agents_name"),
    )
    op.create_index("ix_agents_access_level_id", "agents", ["access_level_id"])

    op.create_table(
        "roles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("grants_up_to_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("rank > 0", name="ck_roles_rank_positive"),
        sa.ForeignKeyConstraint(
            ["grants_up_to_id"],
            ["access_levels.id"],
            name="fk_roles_grants_up_to_id_access_levels",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("name", name="uq_roles_name"),
    )
    op.create_index("ix_roles_grants_up_to_id", "roles", ["grants_up_to_id"])

    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fs_uniquifier", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("email_canonical", _folded(254), nullable=True),
        sa.Column("username", sa.String(length=32), nullable=True),
        sa.Column("username_canonical", _folded(32), nullable=True),
        sa.Column("full_name", sa.String(length=120), nullable=False),
        sa.Column("search_text", _folded(600), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("theme", sa.String(length=8), nullable=False),
        sa.Column("communication", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("terms_version", sa.String(length=32), nullable=False),
        sa.Column("terms_accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmation_mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejection_reason", sa.Text(), nullable=False),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("access_level_id", sa.Integer(), nullable=True),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_login_ip", sa.String(length=64), nullable=True),
        sa.Column("current_login_ip", sa.String(length=64), nullable=True),
        sa.Column("login_count", sa.Integer(), nullable=False),
        sa.Column("reviewer_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "status",
            sa.String(length=12),
            sa.Computed(STATUS, persisted=True),
            nullable=False,
        ),
        sa.CheckConstraint(
            "communication IN ('all', 'important', 'none')",
            name="ck_users_communication",
        ),
        sa.CheckConstraint("theme IN ('auto', 'light', 'dark')", name="ck_users_theme"),
        sa.CheckConstraint(
            "approved_at IS NULL OR access_level_id IS NOT NULL OR erased_at IS NOT NULL",
            name="ck_users_approved_at_a_level",
        ),
        sa.CheckConstraint(
            "approved_at IS NULL OR confirmed_at IS NOT NULL OR erased_at IS NOT NULL",
            name="ck_users_confirmed_before_approved",
        ),
        sa.CheckConstraint(
            "erased_at IS NOT NULL OR (email_canonical IS NOT NULL"
            " AND username_canonical IS NOT NULL)",
            name="ck_users_named_unless_erased",
        ),
        sa.ForeignKeyConstraint(
            ["access_level_id"],
            ["access_levels.id"],
            name="fk_users_access_level_id_access_levels",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email_canonical", name="uq_users_email_canonical"),
        sa.UniqueConstraint("fs_uniquifier", name="uq_users_fs_uniquifier"),
        sa.UniqueConstraint("username_canonical", name="uq_users_username_canonical"),
    )
    op.create_index("ix_users_access_level_id", "users", ["access_level_id"])
    op.create_index("ix_users_current_login_at_id", "users", ["current_login_at", "id"])
    op.create_index("ix_users_registered_at_id", "users", ["registered_at", "id"])
    op.create_index("ix_users_search_text_beginning", "users", ["search_text"])
    op.create_index("ix_users_status_confirmed_at_id", "users", ["status", "confirmed_at", "id"])
    op.create_index(
        "ix_users_status_current_login_at_id", "users", ["status", "current_login_at", "id"]
    )
    op.create_index("ix_users_status_registered_at_id", "users", ["status", "registered_at", "id"])

    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("about_id", sa.Integer(), nullable=True),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["about_id"],
            ["users.id"],
            name="fk_audit_entries_about_id_users",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["by_id"],
            ["users.id"],
            name="fk_audit_entries_by_id_users",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_about_id_at_id", "audit_entries", ["about_id", "at", "id"])
    op.create_index("ix_audit_entries_action_at_id", "audit_entries", ["action", "at", "id"])
    op.create_index("ix_audit_entries_at_id", "audit_entries", ["at", "id"])
    op.create_index(
        "ix_audit_entries_by_id_action_at_id", "audit_entries", ["by_id", "action", "at", "id"]
    )
    op.create_index("ix_audit_entries_by_id_at_id", "audit_entries", ["by_id", "at", "id"])

    op.create_table(
        "notifications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("about_id", sa.Integer(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["about_id"],
            ["users.id"],
            name="fk_notifications_about_id_users",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["settled_by_id"],
            ["users.id"],
            name="fk_notifications_settled_by_id_users",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
    )
    op.create_index("ix_notifications_about_id", "notifications", ["about_id"])
    op.create_index(
        "ix_notifications_settled_at_raised_at",
        "notifications",
        ["settled_at", "raised_at"],
    )
    op.create_index(
        "uq_notifications_open",
        "notifications",
        ["kind", "about_id"],
        unique=True,
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )

    op.create_table(
        "staff_invitations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("username", sa.String(length=32), nullable=False),
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["role_id"],
            ["roles.id"],
            name="fk_staff_invitations_role_id_roles",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_staff_invitations"),
        sa.UniqueConstraint("token_hash", name="uq_staff_invitations_token_hash"),
    )
    op.create_index("ix_staff_invitations_role_id", "staff_invitations", ["role_id"])

    op.create_table(
        "users_roles",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["role_id"],
            ["roles.id"],
            name="fk_users_roles_role_id_roles",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name="fk_users_roles_user_id_users",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "role_id", name="pk_users_roles"),
    )
    op.create_index("ix_users_roles_role_id", "users_roles", ["role_id"])


def _folded(length: int) -> sa.String:
    """Text that is compared byte by byte whatever the database's collation."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _make_search_on_postgresql() -> None:
    """Find any fragment of three characters and more by trigrams."""
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute("CREATE INDEX ix_users_search_text ON users USING gin (search_text gin_trgm_ops)")


def _make_search_on_sqlite() -> None:
    """The same with FTS5, which triggers keep in step with the accounts."""
    op.execute(
        "CREATE VIRTUAL TABLE users_search USING fts5("
        "search_text, content='users', content_rowid='id', tokenize='trigram')"
    )
    forget = (
        "INSERT INTO users_search(users_search, rowid, search_text)"
        " VALUES ('delete', old.id, old.search_text);"
    )
    learn = "INSERT INTO users_search(rowid, search_text) VALUES (new.id, new.search_text);"
    for name, event, deeds in (
        ("users_search_insert", "INSERT", learn),
        ("users_search_delete", "DELETE", forget),
        ("users_search_update", "UPDATE OF search_text", forget + learn),
    ):
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON users BEGIN {deeds} END")


def _make_levels_and_roles() -> None:
    """What a portal starts with; staff edit it in the panel."""
    levels = sa.table(
        "access_levels", sa.column("name"), sa.column("rank"), sa.column("description")
    )
    op.bulk_insert(levels, [{"name": n, "rank": r, "description": ""} for n, r in LEVELS])
    ids = dict(op.get_bind().execute(sa.text("SELECT name, id FROM access_levels")).all())
    roles = sa.table(
        "roles",
        sa.column("name"),
        sa.column("rank"),
        sa.column("description"),
        sa.column("permissions", sa.JSON),
        sa.column("grants_up_to_id"),
    )
    op.bulk_insert(
        roles,
        [
            {
                "name": name,
                "rank": rank,
                "description": "",
                "permissions": permissions,
                "grants_up_to_id": ids[level],
            }
            for name, rank, permissions, level in ROLES
        ],
    )
