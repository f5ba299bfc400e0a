"""Fetch one window of a report."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from archiver.answer import Answer
from archiver.api.client import decode_here
from archiver.api.decode.page import PageReader
from archiver.api.row_pages import fetch_row_window
from archiver.errors import (
    ContractError,
    GroupByCapError,
    KeyRefusedError,
    NotReadyError,
    ReportUnavailableError,
    RequestRefusedError,
)
from archiver.model import DAY, Report, to_text
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.answer import Buckets, DecodedPage
    from archiver.api.client import AdminClient, Decode
    from archiver.model import Window

# Messages that refuse the end of a window, for example "ending date must be after starting date". The API moves an end
# in the future to today, and then today may not be after the start.
_END_REFUSED = re.compile(r"\bend(?:ing)?[ _](?:at|date|time)\b.*\b(?:after|before|later|future|exceed)", re.IGNORECASE)

# The analytics reports do not exist for organisations with HIPAA readiness. That is documented, the message is not.
_NOT_AVAILABLE = re.compile(r"\bHIPAA\b|\bnot available\b|organization_type_not_supported", re.IGNORECASE)


def window_query(window: Window) -> list[tuple[str, str]]:
    """Return the query parameters of a window that is aligned to buckets."""
    spec = SPECS[window.series.report]
    width = window.series.bucket_width
    if spec.rows is None:
        paging = [("bucket_width", str(width)), ("limit", str(spec.limits[width]))]
    elif spec.rows.by_day:
        # This endpoint takes a date without a time.
        return [("starting_at", to_text(window.start)[: len("2026-01-01")]), ("limit", str(spec.rows.limit))]
    else:
        # Ordered by time, because in any other order the pages are not stable while they are read.
        paging = [("time_bucket_width", str(width)), ("limit", str(spec.rows.limit))]
        paging += [("order", "asc"), ("order_by", "time")]
    return [
        ("starting_at", to_text(window.start)),
        ("ending_at", to_text(window.end)),
        *paging,
        *(("group_by[]", dimension) for dimension in window.series.group_by),
        *((spec.filters[name], value) for name, values in window.series.filters for value in values),
    ]


def window_beta(window: Window) -> str | None:
    """Return the `anthropic-beta` header that a window needs, or None.

    It depends on the report, and on the window's dimensions and filters.
    """
    if SPECS[window.series.report].beta is not None:
        return SPECS[window.series.report].beta
    betas = SPECS[window.series.report].betas
    used = {*window.series.group_by, *(name for name, _ in window.series.filters)}
    return ",".join(sorted({betas[name] for name in used if name in betas})) or None


async def fetch_window(
    client: AdminClient, window: Window, decode: Decode = decode_here, release: Callable[[], None] = lambda: None
) -> Answer:
    """Fetch one window, following further pages if there are any.

    `decode` chooses when and where each page is decoded. `release` is called before each further page is requested: it
    returns the decode slot, because the request may take long. When the API refuses a window for its last day, the
    answer is without that day.

    Raises:
        NotReadyError: The API returned 400 because the window holds no complete bucket yet.
        ReportUnavailableError: The key may not read a report that is paged by rows, or the organisation does not have
            the report.
        ApiError: There is no answer, or it breaks the contract.
    """
    try:
        return await _fetch(client, window, decode, release)
    except KeyRefusedError as error:
        # For usage and cost a refusal is an error. So is a 401 for any report, because it concerns the key itself.
        if SPECS[window.series.report].rows is None or error.ends_run:
            raise
        raise ReportUnavailableError(error.message, request_id=error.request_id) from error
    except RequestRefusedError as error:
        if SPECS[window.series.report].rows is not None and _is_unavailable(error):
            raise ReportUnavailableError(error.message, request_id=error.request_id) from error
        if error.status != HTTPStatus.BAD_REQUEST or isinstance(error, GroupByCapError):
            raise
        if _is_too_recent(window, client.server_time):
            raise NotReadyError(error.message, request_id=error.request_id) from error
        if window.end - DAY <= window.start or not _END_REFUSED.search(error.message):
            raise
    # The API refuses the whole window, which may be a month, because its last day is not ready yet. So the window is
    # requested without that day.
    shorter = replace(window, end=window.end - DAY, digest=None)
    return replace(await _fetch(client, shorter, decode, release), window=window, digest=None)


def _is_unavailable(error: RequestRefusedError) -> bool:
    """Return whether a refusal means that the report does not exist here."""
    if error.status == HTTPStatus.NOT_FOUND:
        return True
    return error.status == HTTPStatus.BAD_REQUEST and _NOT_AVAILABLE.search(error.message) is not None


def _is_too_recent(window: Window, server_time: int | None) -> bool:
    """Return whether a window holds no complete bucket yet."""
    if server_time is None:  # without the server's time this is not certain
        return False
    # Cost is refused for the day before today too (reported by users, not documented).
    lag = DAY if window.series.report is Report.COST else 0
    return window.start + window.series.bucket_width.seconds > server_time - lag


async def _fetch(client: AdminClient, window: Window, decode: Decode, release: Callable[[], None]) -> Answer:
    spec = SPECS[window.series.report]
    query, beta = window_query(window), window_beta(window)
    if spec.rows is not None:
        return await fetch_row_window(client, window, query, decode, release)
    read = PageReader(window, window.start, window.digest)
    splittable = window.buckets > 1
    page = first = await client.get(spec.path, query, read, beta=beta, splittable=splittable, decode=decode)
    # The answer has the Date of its first page. A bucket that ended while further pages were fetched counts as in
    # progress, because its rows may have been read before its end.
    if first.buckets is None:  # the digest is that of the window, so nothing changed
        return Answer(window, None, first.digest, first.server_time, first.request_id)
    buckets = first.buckets
    warnings = dict.fromkeys(first.warnings)
    seen: set[str] = set()  # the tokens so far; there is at most one page for each bucket
    while page.next_page is not None:
        if page.next_page in seen or len(seen) > window.buckets:
            raise ContractError("the page tokens form a circle", place="next_page", request_id=first.request_id)
        seen.add(page.next_page)
        release()
        page = await _fetch_more(client, window, page.next_page, buckets, decode)
        assert page.buckets is not None
        buckets.extend(page.buckets)
        warnings |= dict.fromkeys(page.warnings)
    # Only a complete answer of one page has a digest. With several pages, an equal first page would not mean an equal
    # answer. Buckets that were left out may come later.
    is_complete = not seen and len(buckets) == window.buckets
    digest = first.digest if is_complete else None
    return Answer(window, buckets, digest, first.server_time, first.request_id, tuple(warnings))


async def _fetch_more(client: AdminClient, window: Window, token: str, so_far: Buckets, decode: Decode) -> DecodedPage:
    # A further page may not repeat a bucket of the pages before.
    after = so_far.starts[-1] + window.series.bucket_width.seconds if so_far.starts else window.start
    query = [*window_query(window), ("page", token)]
    path = SPECS[window.series.report].path
    return await client.get(path, query, PageReader(window, after), beta=window_beta(window), decode=decode)
