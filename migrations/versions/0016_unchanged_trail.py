"""The audit trail: the database itself takes no change of an entry and no removal (ASVS 16.4.2)."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SENTENCE = "entries of the audit trail are added and never changed"


def upgrade() -> None:
    """Forbid it to whoever writes as the portal does; what is there stays as it is."""
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER audit_entries_no_{deed} BEFORE {deed} ON audit_entries"
                f" BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_entries_stay() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN RAISE EXCEPTION '{SENTENCE}' USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_stay()"
    )


def downgrade() -> None:
    """Leave it to the portal alone again."""
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("update", "delete"):
            op.execute(f"DROP TRIGGER audit_entries_no_{deed}")
        return
    op.execute("DROP TRIGGER audit_entries_stay ON audit_entries")
    op.execute("DROP FUNCTION audit_entries_stay()")
