"""Several kinds of rows in one service: a code is unique within its kind, and a change is dated."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("items", sa.Column("kind", sa.Text, nullable=False, server_default="item"))
    op.add_column(
        "items", sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())
    )
    op.drop_constraint("items_code_key", "items")
    op.create_unique_constraint("items_kind_code_key", "items", ["kind", "code"])


def downgrade() -> None:
    op.drop_constraint("items_kind_code_key", "items")
    op.create_unique_constraint("items_code_key", "items", ["code"])
    op.drop_column("items", "updated_at")
    op.drop_column("items", "kind")
