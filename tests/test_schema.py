"""All migrations together make the golden schema, and every view has its documented columns."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archiver.store.archive import held_archive
from archiver.store.statements import _statements
from tests.support import select

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent / "golden_schema.sql"

VIEWS = {
    "usage": "series_id bucket_width group_by bucket_start bucket_end workspace_id api_key_id model service_tier "
    "context_window inference_geo speed account_id service_account_id uncached_input_tokens "
    "cache_creation_1h_input_tokens cache_creation_5m_input_tokens cache_read_input_tokens output_tokens "
    "web_search_requests extra",
    "cost": "series_id bucket_width group_by bucket_start bucket_end workspace_id description cost_type model "
    "service_tier context_window token_type inference_geo currency amount amount_microcents amount_usd extra",
    "daily_tokens": "date workspace_id workspace_name workspace api_key_id api_key_name api_key model service_tier "
    "context_window "
    "uncached_input_tokens cache_creation_1h_input_tokens cache_creation_5m_input_tokens cache_read_input_tokens "
    "output_tokens web_search_requests",
    "daily_cost": "date workspace_id workspace_name workspace description cost_type model service_tier context_window "
    "token_type inference_geo currency amount amount_microcents amount_usd",
    "day_series": "report date bucket_width group_by state fetched_at",
    "monthly_tokens": "month workspace_id workspace_name workspace api_key_id api_key_name api_key model service_tier "
    "context_window "
    "uncached_input_tokens cache_creation_1h_input_tokens cache_creation_5m_input_tokens cache_read_input_tokens "
    "output_tokens web_search_requests gap_days group_by",
    "monthly_cost": "month workspace_id workspace_name workspace description cost_type model service_tier "
    "context_window token_type inference_geo currency amount amount_microcents amount_usd gap_days group_by",
    "cache_efficiency": "date workspace_id workspace_name workspace model uncached_input_tokens "
    "cache_creation_input_tokens cache_read_input_tokens cache_hit_rate group_by",
    "coverage": "report bucket_width group_by filters range_start range_end state fetched_at",
    "restatement": "report bucket_width group_by bucket_start learnt_at previously_learnt_at workspace_id api_key_id "
    "model service_tier context_window inference_geo speed account_id service_account_id description cost_type "
    "token_type currency field was now",
    "sync_run": "id started_at finished_at outcome exit_code requests retries rows_inserted rows_updated rows_removed "
    "rows_unchanged version",
    "workspace": "id name created_at archived_at learnt_at details",
    "api_key": "id name workspace_id status created_at expires_at learnt_at details",
    "user": "id name email role added_at learnt_at details",
    "service_account": "id name created_at learnt_at details",
    "readme": "text",
}


@pytest.fixture
def made(db: Path) -> Iterator[Path]:
    with held_archive(db, now=0):
        yield db


def test_all_migrations_together_are_the_golden_schema(made: Path) -> None:
    schema = "\n".join(
        sql for (sql,) in select(made, "SELECT sql || ';' FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
    )
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text(schema + "\n")
    assert schema + "\n" == GOLDEN.read_text()


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_its_columns_in_their_order(made: Path, view: str) -> None:
    columns = [name for (name,) in select(made, f"SELECT name FROM pragma_table_info('{view}')")]  # noqa: S608  # from above
    assert columns == VIEWS[view].split()


def test_every_table_is_strict(made: Path) -> None:
    loose = select(
        made, "SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT strict AND name NOT LIKE 'sqlite%'"
    )
    assert loose == []


def test_every_statement_is_one_that_sqlite_understands(made: Path) -> None:
    with closing(sqlite3.connect(made)) as connection:
        for name, sql in _statements().items():
            count = sql.count("?")
            bound: object = (None,) * count if count else dict.fromkeys(_names(sql))
            if "as_of" not in name and "selected" not in name and not name.endswith("select_sums"):
                # The others read temporary tables, which are made where they are used.
                connection.execute(f"EXPLAIN {sql}", bound)  # type: ignore[arg-type]
            assert sql.startswith("-- "), f"{name} has no comment"


def _names(sql: str) -> set[str]:
    return {word[1:].strip(",;)") for word in sql.replace("(", " ").split() if word.startswith(":")}
