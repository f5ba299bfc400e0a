"""Descriptions of the public views and of their columns.

`archiver schema` prints them, and docs/reference/views.md is generated from them.
"""

from __future__ import annotations

VIEWS = {
    "usage": "Every current usage row of every series. Never sum over several series.",
    "cost": "Every current cost row of every series. Never sum over several series.",
    "analytics_usage": "Every current analytics usage row of every series. Never sum over several series.",
    "analytics_cost": "Every current analytics cost row of every series: the money of `cost` once more, without "
    "credits and with other products. Never sum over several series.",
    "daily_tokens": "Tokens of one canonical series a day, with names. Safe to sum.",
    "daily_cost": "Money of one canonical series a day, with names. Safe to sum.",
    "daily_cost_by_key": "Billed cost of one canonical analytics series a day, with names of API keys. Safe to sum; "
    "the same money as daily_cost_by_person and, but for credits and other products, as daily_cost.",
    "daily_cost_by_person": "The same money by the person, service account or key that used it. Safe to sum.",
    "claude_code": "Claude Code by person: a row of sessions and lines, one for each tool, one for each model. Safe to "
    "sum. Its amounts are estimates of money that the other reports have too: never add the two.",
    "day_series": "Which series the daily views use for a day, and how it was grouped.",
    "monthly_tokens": "daily_tokens by month. Safe to sum.",
    "monthly_cost": "daily_cost by month. Safe to sum.",
    "cache_efficiency": "How much of the input came from the prompt cache, by day, workspace and model.",
    "coverage": "What is archived: ranges of one state.",
    "restatement": "Changes of settled buckets, field by field: the older value and the newer one.",
    "sync_run": "Every run of `archiver sync`.",
    "workspace": "Workspaces by id, with their current names.",
    "api_key": "API keys by id, with their current names.",
    "user": "Users by id, with their current names.",
    "service_account": "Service accounts by id, with their current names.",
    "person": "Users as the analytics reports name them, with their current names, also of users who left.",
    "spend_limit": "The spend limits that the API has for the organisation, as they were last read.",
    "readme": "What this file is, for whoever opens it with another tool.",
}

COLUMNS = {
    "accepted": "proposals of the tool that were accepted",
    "cache_creation_tokens": "tokens written to the prompt cache",
    "cache_read_tokens": "tokens read from the prompt cache",
    "commits": "commits that Claude Code made",
    "customer_type": "api or subscription",
    "input_tokens": "input tokens that were neither written to nor read from the prompt cache",
    "is_remote": "true: the session ran on another machine; NULL: the API did not say",
    "lines_added": "lines of code added",
    "lines_removed": "lines of code removed",
    "pull_requests": "pull requests that Claude Code made",
    "rejected": "proposals of the tool that were rejected",
    "sessions": "sessions",
    "subscription_type": "enterprise or team; NULL: none",
    "terminal_type": "terminal or editor, as vscode",
    "tool": "tool, as edit_tool; NULL: the row is of no tool",
    "is_enabled": "1: the limit applies",
    "period": "daily, weekly or monthly",
    "scope": "what the limit is of: organization, usage_tier, workspace, user and others",
    "scope_id": "id of that workspace, user or other; NULL: the organisation",
    "workspace": "name of the workspace, else its id; (default workspace), (not grouped): never null",
    "api_key": "name of the API key, else its id; (no API key), (not grouped): never null",
    "text": "one line of text",
    "person": "name of who used it, else e-mail address or id; (not attributed), (not grouped): never null",
    "person_name": "the name at the end of the day; NULL: none is known",
    "actor_id": "id of the user, service account or API key; of an identity of a cloud platform, its provider and "
    "subject as JSON; NULL: not attributed, or not grouped by actor",
    "actor_type": "user_actor, service_account_actor, federated_actor or api_actor; NULL: none, or not grouped",
    "agent_id": "agent of a managed session; NULL: none, or not grouped by it",
    "claude_tag_category": "category of use of Claude in Slack; NULL: none, or not grouped by it",
    "claude_tag_user_id": "Slack user; NULL: none, or not grouped by it",
    "deleted": "1: the account was deleted, or the user left the organisation",
    "deployment_id": "deployment that started the session; NULL: none, or not grouped by it",
    "environment_id": "environment of the session; NULL: none, or not grouped by it",
    "list_amount": "the amount before discounts, exact decimal text in cents",
    "list_amount_usd": "the same in dollars as a float, for convenience",
    "organization_id": "child organisation; NULL: not grouped by it",
    "product": "product, as messages_api, claude_code or chat; NULL: none, or not grouped by it",
    "rbac_group_id": "group of the user; NULL: in none, or not grouped by it. Users of several groups are in the rows "
    "of each: never sum over groups",
    "session_id": "managed session; NULL: none, or not grouped by it",
    "slack_channel_id": "Slack channel; NULL: none, or not grouped by it",
    "user_profile_id": "user profile; NULL: none, or not grouped by it",
    "account_id": "account; NULL: none, or not grouped by account",
    "amount": "exact decimal text in cents (1/100 of the currency): the API's own, or of a month the sum",
    "amount_microcents": "the amount in millionths of a cent, exact to six fractional digits",
    "amount_usd": "the amount in dollars as a float, for convenience",
    "api_key_id": "API key; NULL: none (the Console), or not grouped by API key",
    "api_key_name": "its name at the end of the day or month; NULL: none is known",
    "archived_at": "when it was archived; NULL: it is in use",
    "bucket_end": "end of the bucket, exclusive, UTC",
    "bucket_start": "start of the bucket, UTC",
    "bucket_width": "1d, 1h or 1m",
    "cache_creation_1h_input_tokens": "tokens written to the prompt cache for an hour",
    "cache_creation_5m_input_tokens": "tokens written to the prompt cache for five minutes",
    "cache_creation_input_tokens": "tokens written to the prompt cache",
    "cache_hit_rate": "share of input tokens that were read from the prompt cache, 0 to 1; NULL without input",
    "cache_read_input_tokens": "tokens read from the prompt cache",
    "context_window": "0-200k or 200k-1M; NULL: none, or not grouped by it",
    "cost_type": "tokens, web_search, code_execution or session_usage",
    "created_at": "when it was created",
    "currency": "currency of the amount, so far always USD",
    "date": "UTC day",
    "description": "what was billed, in the API's words; NULL: not grouped by it",
    "details": "all other fields of the API, as JSON",
    "email": "e-mail address",
    "exit_code": "its exit code",
    "expires_at": "when it expires; NULL: never",
    "extra": "fields of the row that this version does not know, as JSON; NULL: none",
    "fetched_at": "by the API's clock: of a range, time of its oldest response; of a day, time of its newest",
    "field": "the field that changed",
    "filters": "filters as dimension=value pairs; empty for none",
    "finished_at": "when it ended; NULL: it is running, or was killed",
    "gap_days": "days of the month that are not archived, future days included",
    "group_by": "dimensions of the grouping, in alphabetical order; others are NULL, unless `description` implies them",
    "id": "the API's identifier; of a run, its number",
    "inference_geo": "region of the inference; NULL: none, or not grouped by it",
    "learnt_at": "when the API first returned it, by the API's clock",
    "model": "model; NULL: none, or not grouped by model",
    "month": "UTC month, YYYY-MM",
    "name": "name",
    "now": "newer value; NULL: the row is gone",
    "outcome": "ok, partial, auth, temporary and so on: see the exit codes",
    "output_tokens": "tokens written by the model",
    "previously_learnt_at": "when the API first returned the older value",
    "added_at": "when the user was added",
    "range_end": "end of the range, exclusive, UTC",
    "range_start": "start of the range, UTC",
    "report": "usage, cost, analytics-usage or analytics-cost",
    "requests": "of a run, requests sent, retries included; of use, API requests, NULL where the API does not tell",
    "retries": "retries among them",
    "role": "role in the organisation",
    "rows_inserted": "rows that are new in the archive",
    "rows_removed": "rows that the API no longer returns",
    "rows_unchanged": "rows that the API returned as they are archived",
    "rows_updated": "rows with changed values",
    "series_id": "one series: a report with its bucket width, group_by and filters",
    "service_account_id": "service account; NULL: none, or not grouped by it",
    "service_tier": "standard, batch, priority and so on; NULL: none, or not grouped by it",
    "speed": "standard or fast; NULL: not grouped by it",
    "started_at": "when it started",
    "state": "settled, provisional, missing or failed",
    "status": "active, inactive, archived or expired",
    "token_type": "kind of tokens billed; NULL: not tokens",
    "uncached_input_tokens": "input tokens that were neither read from the prompt cache nor written to it",
    "version": "version of archiver",
    "was": "older value; NULL: there was no such row",
    "web_search_requests": "web searches",
    "workspace_id": "workspace; NULL: the default workspace, which has an id in analytics alone, or not grouped by it",
    "workspace_name": "its name at the end of the day or month; NULL: none is known",
}


def as_markdown(columns: dict[str, list[str]]) -> str:
    """Return all views as a Markdown page; `columns` has the columns of each."""
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
    """Return views and their columns as text for a terminal."""
    lines = []
    for view in views:
        width = max(map(len, columns[view]))
        lines += [f"{view}: {VIEWS[view]}", *(f"  {one:{width}}  {COLUMNS[one]}" for one in columns[view]), ""]
    return "\n".join(lines)
