"""Personal data: what `--no-people` does not archive, and what `forget` removes for good."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from archiver.model import NamedObject, NameKind, Report
from archiver.plan.scope import Scope
from archiver.reports.people import pseudonym
from archiver.simulator import background
from archiver.store.archive import held_archive, open_archive
from archiver.store.read.verify import verify_archive
from tests.analytics import SMALL
from tests.handmade import run
from tests.raw_server import raw_server
from tests.support import archiver, day, dump, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from archiver.simulator import Simulator
    from tests.raw_server import Good

EVERYTHING = Scope(tuple(Report), since=day("2026-03-01"))
COST_BY_KEY = Scope((Report.ANALYTICS_COST,), since=day("2026-03-18"), group_by=(("api_key_id",),))
SECRET = "secret.person@invented.example"
NUMBERS = "SELECT date, actor_id, amount FROM daily_cost_by_person ORDER BY 1, 2, 3"


@pytest.fixture(scope="module")
def api() -> Iterator[Simulator]:
    with background(SMALL) as running:
        yield running


def person(api: Simulator) -> dict[str, Any]:
    """Return a user whom both the list of users and the analytics reports name."""
    return api.organization.users[0]


def in_the_file(db: Path, text: str) -> bool:
    files = [file for file in db.parent.iterdir() if file.name.startswith(db.name)]
    return any(text.encode() in file.read_bytes() for file in files)


def test_a_person_is_forgotten_in_every_page_of_the_file_and_the_numbers_stay(api: Simulator, db: Path) -> None:
    sync(api, db, EVERYTHING)
    user = person(api)
    before = select(db, NUMBERS)
    assert in_the_file(db, user["name"])
    assert in_the_file(db, user["email"])
    done = archiver("forget", user["id"], "--db", str(db))
    assert (done.returncode, done.stdout) == (0, f"removed the names and addresses of {user['id']} (3 records)\n")
    assert "copies that were made before" in done.stderr
    assert not in_the_file(db, user["name"])
    assert not in_the_file(db, user["email"])
    assert select(db, NUMBERS) == before
    assert any(row[1] == user["id"] for row in before)
    assert verify_archive(db) == []


def test_a_forgotten_person_does_not_come_back(api: Simulator, db: Path) -> None:
    sync(api, db, EVERYTHING)
    user = person(api)
    assert archiver("forget", user["id"], "--db", str(db)).returncode == 0
    sync(api, db, Scope(tuple(Report), since=day("2026-02-20"), refresh_days=90))
    assert not in_the_file(db, user["email"])
    labels = select(db, "SELECT DISTINCT person FROM daily_cost_by_person WHERE actor_id = ?", user["id"])
    assert labels == [(user["id"],)]
    again = archiver("forget", user["id"], "--db", str(db))
    assert (again.returncode, again.stdout) == (0, f"{user['id']} is forgotten already\n")


def test_a_person_is_forgotten_by_the_id_of_claude_code_as_well(api: Simulator, db: Path) -> None:
    sync(api, db, EVERYTHING)
    user = person(api)
    (known,) = select(db, "SELECT id FROM person WHERE id LIKE 'email%' AND email = ?", user["email"])
    assert archiver("forget", str(known[0]), "--db", str(db)).returncode == 0
    assert not in_the_file(db, user["name"])
    assert not in_the_file(db, user["email"])
    sync(api, db, Scope(tuple(Report), since=day("2026-02-20"), refresh_days=90))
    assert not in_the_file(db, user["email"])


async def test_an_address_is_forgotten_in_any_case_and_under_any_id(db: Path) -> None:
    def named(kind: NameKind, identity: str, address: str) -> NamedObject:
        return NamedObject(kind, identity, "Ada Invented", json.dumps({"email": address}, separators=(",", ":")))

    people = [
        named(NameKind.USER, "user_1", "Ada@invented.example"),
        named(NameKind.PERSON, pseudonym("ada@invented.example"), "ada@invented.example"),
        named(NameKind.USER, "user_2", "bob@invented.example"),
    ]
    with held_archive(db, now=1):
        async with open_archive(db) as archive:
            await archive.save_names(people, 1)
            assert await archive.forget("user_1") == 2
            # The person was invited again, with another id, and the report writes the address in another way.
            again = [
                named(NameKind.USER, "user_3", "ada@invented.example"),
                named(NameKind.PERSON, pseudonym("ADA@invented.example"), "ADA@invented.example"),
            ]
            await archive.save_names([*people, *again], 2)
    assert select(db, "SELECT id, details FROM _name") == [("user_2", '{"email":"bob@invented.example"}')]


async def test_the_people_who_were_forgotten_before_stay_forgotten_also_without_addresses(db: Path) -> None:
    people = [NamedObject(NameKind.USER, f"user_{number}", f"Invented {number}", "{}") for number in range(3)]
    with held_archive(db, now=1):
        async with open_archive(db) as archive:
            await archive.save_names(people, 1)
            for identity in ("user_0", "user_1", "user_1"):
                await archive.forget(identity)
            await archive.save_names(people, 2)
    assert select(db, "SELECT id FROM _name") == [("user_2",)]


def test_an_unknown_id_is_refused_and_changes_nothing(api: Simulator, db: Path) -> None:
    missing = archiver("forget", "user_x", "--db", str(db))
    assert (missing.returncode, "there is no archive at" in missing.stderr) == (2, True)
    assert not db.exists()
    sync(api, db, EVERYTHING)
    before = dump(db)
    done = archiver("forget", "user_x", "--db", str(db))
    assert done.returncode == 2
    assert "no name and no address of user_x is archived" in done.stderr
    assert "hint: the ids of people are in the views person and user" in done.stderr
    assert dump(db) == before


def test_a_reader_that_keeps_the_log_is_named_and_the_command_can_be_run_again(api: Simulator, db: Path) -> None:
    sync(api, db, EVERYTHING)
    user = person(api)
    with closing(sqlite3.connect(db)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM cost").fetchall()
        done = archiver("forget", user["id"], "--db", str(db))
        assert done.returncode == 11, done.stderr
        assert "another program reads" in done.stderr
    assert archiver("forget", user["id"], "--db", str(db)).returncode == 0
    assert not in_the_file(db, user["email"])


def test_without_people_no_name_and_no_address_is_archived(api: Simulator, db: Path) -> None:
    sync(api, db, EVERYTHING, people=False)
    users = api.organization.users
    assert not any(in_the_file(db, text) for user in users for text in (user["name"], user["email"]))
    people = {row[0] for row in select(db, "SELECT person FROM daily_cost_by_person WHERE actor_type = 'user_actor'")}
    assert people
    assert all(one.startswith("user_") for one in people)


def with_group(change: Callable[[dict[str, Any]], None]) -> Callable[[Good], bytes]:
    """Return a fault that changes the group of every row of an analytics report."""

    def spoil(good: Good) -> bytes:
        raw = json.loads(good.body)
        for row in raw["data"]:
            change(row["group"])
        return good.bytes(json.dumps(raw).encode())

    return spoil


def test_who_was_not_asked_for_is_not_archived(api: Simulator, db: Path) -> None:
    def change(group: dict[str, Any]) -> None:
        group["actor"] = {"type": "user_actor", "user_id": "user_1", "email_address": SECRET, "name": "Secret Person"}

    with raw_server(api) as server:
        server.spoil = with_group(change)
        summary = sync(api, db, COST_BY_KEY, api_url=server.url, people=False)
    assert summary.exit_code == 0
    assert not in_the_file(db, SECRET)
    assert not in_the_file(db, "Secret Person")
    assert select(db, "SELECT DISTINCT extra ->> '$.group.actor.user_id' FROM analytics_cost") == [("user_1",)]


@pytest.mark.parametrize("people", [True, False])
def test_the_address_of_an_identity_of_a_cloud_platform_is_no_part_of_its_id(
    api: Simulator, db: Path, *, people: bool
) -> None:
    def change(group: dict[str, Any]) -> None:
        if group["actor"] and group["actor"]["type"] == "federated_actor":
            group["actor"] = {"type": "federated_actor", "provider": {"type": "gcp"}, "subject": SECRET}

    with raw_server(api) as server:
        server.spoil = with_group(change)
        scope = Scope((Report.ANALYTICS_COST,), since=day("2026-03-01"), group_by=(("actor", "api_key_id", "model"),))
        assert sync(api, db, scope, api_url=server.url, people=people).failures == []
    label = SECRET if people else pseudonym(SECRET)
    assert in_the_file(db, SECRET) is people
    wanted = "SELECT DISTINCT person FROM daily_cost_by_person WHERE actor_type = 'federated_actor'"
    assert select(db, wanted) == [(label,)]
    reported = run("report", "people", "--json", "--db", str(db)).rows()
    assert label in {row["person"] for row in reported}
    if people:
        assert archiver("forget", SECRET.upper(), "--db", str(db)).returncode == 0
        assert not in_the_file(db, SECRET)
        assert not in_the_file(db, SECRET.upper())
        assert select(db, wanted) == [(pseudonym(SECRET),)]


def test_a_new_address_of_a_forgotten_person_is_forgotten_too(db: Path) -> None:
    with background(SMALL) as api:
        sync(api, db, EVERYTHING)
        user = person(api)
        assert archiver("forget", user["id"], "--db", str(db)).returncode == 0
        old = user["email"]

        def spoil(good: Good) -> bytes:
            return good.bytes(good.body.replace(old.encode(), SECRET.encode()))

        with raw_server(api) as server:
            server.spoil = spoil
            # The Claude Code report has the new address first, and no id that is forgotten.
            sync(api, db, Scope((Report.CLAUDE_CODE,), since=day("2026-03-01"), refresh_days=90), api_url=server.url)
            assert in_the_file(db, SECRET)
            sync(api, db, Scope((Report.ANALYTICS_COST,), since=day("2026-03-01"), refresh_days=90), api_url=server.url)
            assert not in_the_file(db, SECRET)
            sync(api, db, Scope((Report.CLAUDE_CODE,), since=day("2026-03-01"), refresh_days=90), api_url=server.url)
        assert not in_the_file(db, SECRET)
