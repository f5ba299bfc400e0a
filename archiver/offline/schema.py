"""What the public views and their columns mean: the one text behind `archiver schema` and docs/schema.md."""

from __future__ import annotations

VIEWS = {
    "usage": "Every current usage row of every series. Never sum over several series.",
    "cost": "Every current cost row of every series. Never sum over several series.",
    "daily_tokens": "Tokens of one canonical series a day, with names. Safe to sum.",
    "daily_cost": "Money of one canonical series a day, with names. Safe to sum.",
    "monthly_tokens": "daily_tokens by month. Safe to sum.",
    "monthly_cost": "daily_cost by month. Safe to sum.",
    "cache_efficiency": "How much of the input came from the prompt cache, by day, workspace and model.",
    "coverage": "What is archived: stretches of one state.",
    "restatement": "What a settled bucket said before it was answered differently, field by field.",
    "sync_run": "Every run of sync.",
    "workspace": "The names of workspaces, as learnt last.",
    "api_key": "The names of API keys, as learnt last.",
    "user": "The names of users, as learnt last.",
    "service_account": "The names of service accounts, as learnt last.",
}

COLUMNS = {
    "account_id": "account, where it was asked for; NULL: none, or not asked",
    "amount": "the API's own text, in cents (1/100 of the currency), digit for digit",
    "amount_microcents": "the amount in millionths of a cent, exact to six fractional digits",
    "amount_usd": "the amount in dollars as a float, for convenience",
    "api_key_id": "API key; NULL: none (the Console), or not asked",
    "api_key_name": "its name as it was known at the end of the day",
    "archived_at": "when it was archived; NULL: it is not",
    "bucket_end": "end of the bucket, exclusive, UTC",
    "bucket_start": "begin of the bucket, UTC",
    "bucket_width": "1d, 1h or 1m",
    "cache_creation_1h_input_tokens": "tokens written to the prompt cache for an hour",
    "cache_creation_5m_input_tokens": "tokens written to the prompt cache for five minutes",
    "cache_creation_input_tokens": "tokens written to the prompt cache",
    "cache_hit_rate": "tokens read from the prompt cache of all input tokens, 0 to 1; NULL without input",
    "cache_read_input_tokens": "tokens read from the prompt cache",
    "context_window": "0-200k or 200k-1M; NULL: not asked, or none",
    "cost_type": "tokens, web_search, code_execution or session_usage",
    "created_at": "when it was made",
    "currency": "of the amount: USD",
    "date": "UTC day",
    "description": "what was billed, in the vendor's words; NULL: not asked",
    "details": "everything else the API said of it, as JSON",
    "email": "e-mail address",
    "exit_code": "its exit code",
    "expires_at": "when it expires; NULL: never",
    "extra": "fields of the row that this program does not know, as JSON; NULL: none",
    "fetched_at": "the oldest reading of the stretch, by the API's clock",
    "field": "the field that changed",
    "filters": "filters as dimension=value pairs; empty for none",
    "finished_at": "when it ended; NULL: it was cut short",
    "gap_days": "days of the month that no series covers, those to come among them",
    "group_by": "the dimensions that were asked for, in alphabetical order; NULL in any other was not asked",
    "id": "the vendor's identifier; of a run, its number",
    "inference_geo": "where it was computed; NULL: not asked, or none",
    "learnt_at": "when it was learnt, by the API's clock",
    "model": "model; NULL: not asked, or none",
    "month": "UTC month, YYYY-MM",
    "name": "name",
    "now": "what it says since then; NULL: the row is gone",
    "outcome": "ok, partial, auth, temporary and so on: see the exit codes",
    "output_tokens": "tokens written by the model",
    "previously_learnt_at": "when the older value was learnt",
    "added_at": "when the user was added",
    "range_end": "end of the stretch, exclusive, UTC",
    "range_start": "begin of the stretch, UTC",
    "report": "usage or cost",
    "requests": "requests that went out, retries included",
    "retries": "how many of them were retries",
    "role": "role in the organisation",
    "rows_inserted": "rows that are new",
    "rows_removed": "rows that are gone",
    "rows_unchanged": "rows that were answered as they are",
    "rows_updated": "rows that are different now",
    "series_id": "the question that was asked: report, width, group_by, filters",
    "service_account_id": "service account, where it was asked for; NULL: none, or not asked",
    "service_tier": "standard, batch, priority and so on; NULL: not asked, or none",
    "speed": "standard or fast, where it was asked for",
    "started_at": "when it began",
    "state": "settled, provisional, missing or failed",
    "status": "active, inactive or archived",
    "token_type": "which tokens were billed; NULL: other than tokens",
    "uncached_input_tokens": "input tokens that were not read from the cache",
    "version": "version of the program",
    "was": "what it said before; NULL: there was no such row",
    "web_search_requests": "web searches",
    "workspace_id": "workspace; NULL: the default workspace, or not asked",
    "workspace_name": "its name as it was known at the end of the day",
}


def as_markdown(columns: dict[str, list[str]]) -> str:
    """Write views and their columns as a page; `columns` are those of each view."""
    lines = [
        "# Views",
        "",
        "Written by `archiver schema --markdown`. Times are text, `YYYY-MM-DDTHH:MM:SSZ`; dates are text.",
        "",
    ]
    for view, what in VIEWS.items():
        lines += [f"## {view}", "", what, "", "| column | meaning |", "|---|---|"]
        lines += [f"| `{column}` | {COLUMNS[column]} |" for column in columns[view]]
        lines.append("")
    return "\n".join(lines)


def as_text(columns: dict[str, list[str]], views: list[str]) -> str:
    """Write views and their columns for a terminal."""
    lines = []
    for view in views:
        width = max(map(len, columns[view]))
        lines += [f"{view}: {VIEWS[view]}", *(f"  {one:{width}}  {COLUMNS[one]}" for one in columns[view]), ""]
    return "\n".join(lines)
