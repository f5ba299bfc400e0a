"""The usage report of Messages: tokens, cache use and web searches."""

from __future__ import annotations

from operator import attrgetter

import msgspec

from archiver.model import BucketWidth, Report
from archiver.reports.spec import Count, ReportSpec

COLUMNS = (
    "workspace_id",
    "api_key_id",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
    "account_id",
    "service_account_id",
)

MEASURES = (
    "uncached_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
)


class CacheCreation(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Tokens written to the prompt cache, by their lifetime."""

    ephemeral_1h_input_tokens: Count
    ephemeral_5m_input_tokens: Count


class ServerToolUse(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """Numbers of calls to tools that the vendor runs."""

    web_search_requests: Count


WIRE_MEASURES = {
    "uncached_input_tokens": Count,
    "cache_creation": CacheCreation,
    "cache_read_input_tokens": Count,
    "output_tokens": Count,
    "server_tool_use": ServerToolUse,
}


READ_MEASURES = (
    attrgetter("uncached_input_tokens"),
    attrgetter("cache_creation.ephemeral_1h_input_tokens"),
    attrgetter("cache_creation.ephemeral_5m_input_tokens"),
    attrgetter("cache_read_input_tokens"),
    attrgetter("output_tokens"),
    attrgetter("server_tool_use.web_search_requests"),
)


USAGE = ReportSpec(
    report=Report.USAGE,
    path="/v1/organizations/usage_report/messages",
    # The largest values of `limit` that the vendor documents.
    limits={BucketWidth.DAY: 31, BucketWidth.HOUR: 168, BucketWidth.MINUTE: 1440},
    group_by=COLUMNS,
    default_dimensions=COLUMNS[:5],  # workspace_id to context_window
    columns=COLUMNS,
    measures=MEASURES,
    wire_measures=WIRE_MEASURES,
    read_dimensions=attrgetter(*COLUMNS),
    read_measures=READ_MEASURES,
    # Before the API had such tools, it sent rows without this field: they had no searches.
    absent={"server_tool_use": ServerToolUse(web_search_requests=0)},
    only_when_asked=("speed",),
    filters={
        "api_key_id": "api_key_ids[]",
        "workspace_id": "workspace_ids[]",
        "model": "models[]",
        "service_tier": "service_tiers[]",
        "context_window": "context_window[]",
        "inference_geo": "inference_geos[]",
        "speed": "speeds[]",
        "account_id": "account_ids[]",
        "service_account_id": "service_account_ids[]",
    },
    betas={"speed": "fast-mode-2026-02-01"},
)
