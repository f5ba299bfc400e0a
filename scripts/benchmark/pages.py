"""Deterministic report pages of any size, for measuring. All of it is invented."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

DIMENSIONS = ("workspace_id", "api_key_id", "model", "service_tier", "context_window")
MODELS = ("invented-large-1", "invented-medium-1", "invented-small-1", "invented-small-2")
SECONDS = {"1m": 60, "1h": 3600, "1d": 86400}
_MIX = 2_654_435_761


@dataclass(frozen=True)
class Shape:
    """Rows in every bucket, and the number of different combinations of dimension values.

    With `new_field` every row has a field that is not documented.
    """

    rows: int
    keys: int
    new_field: bool = False


def text(seconds: int) -> str:
    """Return a time as the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def dimensions(key: int) -> str:
    """Return the dimension values of one key, as a part of a row."""
    return (
        f'"workspace_id":"wrkspc_01Invented{key % 7:012d}","api_key_id":"apikey_01Invented{key:012d}",'
        f'"model":"{MODELS[key % len(MODELS)]}","service_tier":"{("standard", "batch")[key % 2]}",'
        f'"context_window":"{("0-200k", "200k-1M")[key % 3 == 0]}","inference_geo":null,'
        '"account_id":null,"service_account_id":null'
    )


def usage_row(number: int, key: int) -> str:
    """Return one usage row; its counts follow from its number."""
    chance = number * _MIX % 2**32
    return (
        f'{{"uncached_input_tokens":{chance % 900_001},"cache_creation":{{"ephemeral_1h_input_tokens":{chance % 7919},'
        f'"ephemeral_5m_input_tokens":{chance % 15_485}}},"cache_read_input_tokens":{chance % 1_299_709},'
        f'"output_tokens":{chance % 86_028},"server_tool_use":{{"web_search_requests":{chance % 5}}},'
        f"{dimensions(key)}}}"
    )


def cost_row(number: int, key: int) -> str:
    """Return one cost row; its amount follows from its number."""
    chance = number * _MIX % 2**32
    return (
        f'{{"currency":"USD","amount":"{chance % 1_000_000}.{chance % 9973:06d}",'
        f'"workspace_id":"wrkspc_01Invented{key % 7:012d}","description":"Invented Usage - {key}","cost_type":"tokens",'
        f'"model":"{MODELS[key % len(MODELS)]}","service_tier":"standard","context_window":"0-200k",'
        '"token_type":"output_tokens","inference_geo":null}'
    )


def page(report: str, width: str, start: int, end: int, shape: Shape) -> bytes:
    """Return the answer for one window, compressed."""
    row = usage_row if report == "usage" else cost_row
    more = ',"invented_field":{"invented":1}}' if shape.new_field else "}"
    seconds = SECONDS[width]
    buckets = []
    for at in range(start, end, seconds):
        first = at // seconds * shape.rows
        rows = ",".join(row(first + i, (first + i) % shape.keys)[:-1] + more for i in range(shape.rows))
        buckets.append(f'{{"starting_at":"{text(at)}","ending_at":"{text(at + seconds)}","results":[{rows}]}}')
    body = f'{{"data":[{",".join(buckets)}],"has_more":false,"next_page":null}}'
    return gzip.compress(body.encode(), 1, mtime=0)
