"""Fetch one window of a report, and the lists that give names to ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from archiver.answer import Answer
from archiver.api.client import decode_here
from archiver.api.decode.page import PageReader
from archiver.errors import ContractError, DamagedAnswerError, GroupByCapError, NotReadyError, RequestRefusedError
from archiver.model import DAY, NamedObject, NameKind, Organization, Report, to_text
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.answer import Buckets, DecodedPage
    from archiver.api.client import AdminClient, Decode
    from archiver.api.response import Response
    from archiver.model import Window

_LARGEST_LIST_PAGE = 1000
_MOST_LIST_PAGES = 10_000
_BAD_REQUEST = 400

LISTS = {
    NameKind.WORKSPACE: ("/v1/organizations/workspaces", (("include_archived", "true"),)),
    NameKind.API_KEY: ("/v1/organizations/api_keys", ()),
    NameKind.USER: ("/v1/organizations/users", ()),
    NameKind.SERVICE_ACCOUNT: ("/v1/organizations/service_accounts", ()),
}


def window_query(window: Window) -> list[tuple[str, str]]:
    """Return the query parameters of a window, whose ends are aligned to buckets."""
    spec = SPECS[window.series.report]
    width = window.series.bucket_width
    return [
        ("starting_at", to_text(window.start)),
        ("ending_at", to_text(window.end)),
        ("bucket_width", str(width)),
        ("limit", str(spec.limits[width])),
        *(("group_by[]", dimension) for dimension in window.series.group_by),
        *((spec.filters[name], value) for name, values in window.series.filters for value in values),
    ]


def window_beta(window: Window) -> str | None:
    """Return the `anthropic-beta` that a window's dimensions and filters need."""
    betas = SPECS[window.series.report].betas
    used = {*window.series.group_by, *(name for name, _ in window.series.filters)}
    return ",".join(sorted({betas[name] for name in used if name in betas})) or None


async def fetch_window(
    client: AdminClient, window: Window, decode: Decode = decode_here, release: Callable[[], None] = lambda: None
) -> Answer:
    """Fetch one window, following further pages if there are any.

    `decode` runs the decoding of each page; `release` is called before a further page is requested, which may take
    long.

    Raises:
        NotReadyError: The API answered 400 because the window holds no complete bucket yet.
        ApiError: There is no answer, or it breaks the contract.
    """
    try:
        return await _fetch(client, window, decode, release)
    except RequestRefusedError as error:
        plain = error.status == _BAD_REQUEST and not isinstance(error, GroupByCapError)
        if plain and _is_too_recent(window, client.server_time):
            raise NotReadyError(error.message, request_id=error.request_id) from error
        raise


def _is_too_recent(window: Window, server_time: int | None) -> bool:
    """Return whether a window holds no complete bucket yet.

    Cost is refused for the day before too (reported by others, not documented).
    """
    if server_time is None:
        return False
    patience = DAY if window.series.report is Report.COST else 0
    return window.start + window.series.bucket_width.seconds > server_time - patience


async def _fetch(client: AdminClient, window: Window, decode: Decode, release: Callable[[], None]) -> Answer:
    spec = SPECS[window.series.report]
    query, beta = window_query(window), window_beta(window)
    read = PageReader(window, window.start, window.digest)
    splittable = window.buckets > 1
    page = first = await client.get(spec.path, query, read, beta=beta, splittable=splittable, decode=decode)
    # Which buckets had ended is judged by the first page's own Date: other requests may have seen a later one since.
    if first.buckets is None:
        return Answer(window, None, first.digest, first.server_time, first.request_id)
    buckets = first.buckets
    warnings = dict.fromkeys(first.warnings)
    seen: set[str] = set()
    while page.next_page is not None:
        if page.next_page in seen or len(seen) > window.buckets:
            raise ContractError("the page tokens form a circle", place="next_page", request_id=first.request_id)
        seen.add(page.next_page)
        release()
        page = await _fetch_more(client, window, page.next_page, buckets, decode)
        assert page.buckets is not None
        buckets.extend(page.buckets)
        warnings |= dict.fromkeys(page.warnings)
    # A digest stands for a whole answer: of several pages, or with buckets left out, none is kept.
    whole = not seen and len(buckets) == window.buckets
    digest = first.digest if whole else None
    return Answer(window, buckets, digest, first.server_time, first.request_id, tuple(warnings))


async def _fetch_more(client: AdminClient, window: Window, token: str, so_far: Buckets, decode: Decode) -> DecodedPage:
    after = so_far.starts[-1] + window.series.bucket_width.seconds if so_far.starts else window.start
    query = [*window_query(window), ("page", token)]
    path = SPECS[window.series.report].path
    return await client.get(path, query, PageReader(window, after), beta=window_beta(window), decode=decode)


async def fetch_organization(client: AdminClient) -> Organization:
    """Fetch the organisation of the key; raises ApiError."""

    def read(response: Response) -> Organization:
        raw = _read_object(response.body)
        identity, name = raw.get("id"), raw.get("name")
        if not isinstance(identity, str) or not identity or not isinstance(name, str | None):
            raise ContractError("the organisation has no id", place="id")
        return Organization(identity, name)

    return await client.get("/v1/organizations/me", (), read)


async def fetch_names(client: AdminClient, kind: NameKind) -> list[NamedObject]:
    """Fetch one list of names to its end; raises ApiError."""
    path, query = LISTS[kind]
    objects: list[NamedObject] = []
    after: str | None = None
    for _ in range(_MOST_LIST_PAGES):
        more = (("after_id", after),) if after is not None else ()
        page, last = await client.get(
            path, (*query, ("limit", str(_LARGEST_LIST_PAGE)), *more), lambda response: _read_list(response.body, kind)
        )
        objects += page
        if last is None:
            return objects
        if last == after:
            break
        after = last
    raise ContractError("the pages of the list do not end", place="last_id")


def _read_list(body: bytes | bytearray, kind: NameKind) -> tuple[list[NamedObject], str | None]:
    """Read a page of a list: its objects, and the cursor of the next page.

    `last_id` is also set on the last page, so it counts only while `has_more`.
    """
    raw = _read_object(body)
    data, more, last = raw.get("data"), raw.get("has_more"), raw.get("last_id")
    if not isinstance(data, list) or not isinstance(more, bool):
        raise ContractError("Expected a list with data and has_more", place="data")
    if more and (not isinstance(last, str) or not last):
        raise ContractError("has_more is true and there is no last_id", place="last_id")
    return [_read_named(one, kind, f"data[{i}]") for i, one in enumerate(data)], last if more else None


def _read_named(raw: Any, kind: NameKind, place: str) -> NamedObject:
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), str) or not isinstance(raw.get("name"), str | None):
        raise ContractError("Expected an object with id and name", place=place)
    details = {name: value for name, value in raw.items() if name not in {"id", "name", "type"}}
    return NamedObject(kind, raw["id"], raw.get("name"), msgspec.json.encode(details, order="deterministic").decode())


def _read_object(body: bytes | bytearray) -> dict[str, Any]:
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DamagedAnswerError("the answer is not JSON") from None
    except RecursionError:
        raise ContractError("the answer is nested too deeply") from None
    if not isinstance(raw, dict):
        raise ContractError("Expected an object", place="the answer")
    return raw
