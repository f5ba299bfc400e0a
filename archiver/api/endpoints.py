"""Asking for one window, and for the lists that give names to ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from archiver.answer import Answer
from archiver.api.client import decode_here
from archiver.api.decode.reader import PageReader
from archiver.errors import ContractError, DamagedAnswerError, GroupByCapError, NotReadyError, RequestRefusedError
from archiver.model import DAY, NamedObject, NameKind, Organization, Report, to_text
from archiver.reports import SPECS

if TYPE_CHECKING:
    from collections.abc import Callable

    from archiver.answer import Buckets
    from archiver.api.client import AdminClient, Think
    from archiver.api.decode.page import Page
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
    """Spell a window as the parameters of its request. Ends are aligned: only whole buckets are answered."""
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
    """Name the betas that the window's dimensions and filters are behind."""
    betas = SPECS[window.series.report].betas
    used = {*window.series.group_by, *(name for name, _ in window.series.filters)}
    return ",".join(sorted({betas[name] for name in used if name in betas})) or None


async def fetch_window(
    client: AdminClient, window: Window, think: Think = decode_here, pause: Callable[[], None] = lambda: None
) -> Answer:
    """Ask for one window, following further pages if there are any.

    `think` runs what makes rows of bytes; `pause` is called before a further page is asked for, which may take long.

    Raises:
        NotReadyError: The API says 400 because the window holds no complete bucket yet.
        ApiError: The answer is not to be had, or not to be believed.
    """
    try:
        return await _fetch(client, window, think, pause)
    except RequestRefusedError as error:
        plain = error.status == _BAD_REQUEST and not isinstance(error, GroupByCapError)
        if plain and _is_too_recent(window, client.server_time):
            raise NotReadyError(error.message, request_id=error.request_id) from error
        raise


def _is_too_recent(window: Window, server_time: int | None) -> bool:
    """Tell a window without a complete bucket; cost is refused for its last day too (reported)."""
    if server_time is None:
        return False
    patience = DAY if window.series.report is Report.COST else 0
    return window.start + window.series.bucket_width.seconds > server_time - patience


async def _fetch(client: AdminClient, window: Window, think: Think, pause: Callable[[], None]) -> Answer:
    spec = SPECS[window.series.report]
    query, beta = window_query(window), window_beta(window)

    # What had ended is judged by the time of this very answer: others may have shown a later one since.
    read_first = PageReader(window, window.start, window.digest)
    page, digest, said_at, request_id = await client.get(
        spec.path, query, read_first, beta=beta, splittable=window.buckets > 1, think=think
    )
    if page is None:
        return Answer(window, None, digest, said_at, request_id)
    buckets = page.buckets
    warnings = dict.fromkeys(page.warnings)
    seen: set[str] = set()
    while page.next_page is not None:
        if page.next_page in seen or len(seen) > window.buckets:
            raise ContractError("the page tokens go round in circles", place="next_page", request_id=request_id)
        seen.add(page.next_page)
        pause()
        page = await _fetch_more(client, window, page.next_page, buckets, think)
        buckets.extend(page.buckets)
        warnings |= dict.fromkeys(page.warnings)
    whole = not seen and len(buckets) == window.buckets
    return Answer(window, buckets, digest if whole else None, said_at, request_id, tuple(warnings))


async def _fetch_more(client: AdminClient, window: Window, token: str, so_far: Buckets, think: Think) -> Page:
    after = so_far.starts[-1] + window.series.bucket_width.seconds if so_far.starts else window.start
    query = [*window_query(window), ("page", token)]
    path, read = SPECS[window.series.report].path, PageReader(window, after)
    told = await client.get(path, query, read, beta=window_beta(window), think=think)
    assert told.page is not None
    return told.page


async def fetch_organization(client: AdminClient) -> Organization:
    """Ask whose key this is; raises ApiError."""

    def read(reply: Response) -> Organization:
        raw = _read_object(reply.body)
        identity, name = raw.get("id"), raw.get("name")
        if not isinstance(identity, str) or not identity or not isinstance(name, str | None):
            raise ContractError("the organisation has no id", place="id")
        return Organization(identity, name)

    return await client.get("/v1/organizations/me", (), read)


async def fetch_names(client: AdminClient, kind: NameKind) -> list[NamedObject]:
    """Read one list of names to its end; raises ApiError."""
    path, query = LISTS[kind]
    objects: list[NamedObject] = []
    after: str | None = None
    for _ in range(_MOST_LIST_PAGES):
        more = (("after_id", after),) if after is not None else ()
        page, last = await client.get(
            path, (*query, ("limit", str(_LARGEST_LIST_PAGE)), *more), lambda reply: _read_list(reply.body, kind)
        )
        objects += page
        if last is None:
            return objects
        if last == after:
            break
        after = last
    raise ContractError("the list never ends", place="last_id")


def _read_list(body: bytes | bytearray, kind: NameKind) -> tuple[list[NamedObject], str | None]:
    """Read a page of a list; its `last_id` counts only while there is more, though it is always there."""
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
