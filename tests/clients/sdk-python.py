"""sdk-python.py <part> [database id]: asks the Worker through Cloudflare's SDK, and prints what it answered as JSON."""

import datetime
import hashlib
import json
import os
import pathlib
import sys
import time

import cloudflare
import httpx

client = cloudflare.Cloudflare(max_retries=0)
databases = client.d1.database
ACCOUNT = os.environ["CLOUDFLARE_ACCOUNT_ID"]


def refusal(call, *args, **named):
    """What the SDK raises."""
    try:
        call(*args, account_id=ACCOUNT, **named)
    except cloudflare.APIStatusError as error:
        return {"status": error.status_code, "code": error.errors[0].code}
    return None


def part_databases():
    made = databases.create(account_id=ACCOUNT, name="made")
    assert isinstance(made.created_at, datetime.datetime), made
    fields = databases.get(made.uuid, account_id=ACCOUNT, fields=["uuid", "name"])
    names = [each.name for each in databases.list(account_id=ACCOUNT, per_page=3)]
    disabled = {"mode": "disabled"}
    updated = databases.update(made.uuid, account_id=ACCOUNT, read_replication=disabled)
    edited = databases.edit(made.uuid, account_id=ACCOUNT, read_replication=disabled)
    assert updated.uuid == edited.uuid == made.uuid, (updated, edited)
    databases.delete(made.uuid, account_id=ACCOUNT)
    return {
        "made": {"name": made.name, "num_tables": made.num_tables},
        "fields": sorted(fields.to_dict()),
        "names": names,
        "gone": refusal(databases.get, made.uuid),
    }


def part_queries(uuid):
    sql = "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'one'), (x'0102', NULL); SELECT * FROM t"
    *_, selected = databases.query(uuid, account_id=ACCOUNT, sql=sql)
    [raw] = databases.raw(uuid, account_id=ACCOUNT, sql="SELECT b FROM t WHERE b = ?", params=["one"])
    return {
        "rows": selected.results,
        "raw": raw.results.to_dict(),
        "refused": refusal(databases.query, uuid, sql="SELEC 1"),
    }


def part_time_travel(uuid):
    travel = databases.time_travel
    bookmark = travel.get_bookmark(uuid, account_id=ACCOUNT).bookmark
    before = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=5)
    time.sleep(0.05)
    databases.query(uuid, account_id=ACCOUNT, sql="DROP TABLE loans")
    restored = travel.restore(uuid, account_id=ACCOUNT, bookmark=bookmark)
    travel.restore(uuid, account_id=ACCOUNT, bookmark=restored.previous_bookmark)
    try:
        databases.query(uuid, account_id=ACCOUNT, sql="SELECT 1 FROM loans")
    except cloudflare.BadRequestError as error:
        undone = error.errors[0].message
    at_time = travel.get_bookmark(uuid, account_id=ACCOUNT, timestamp=before).bookmark
    travel.restore(uuid, account_id=ACCOUNT, timestamp=before)
    return {
        "bookmark": bookmark,
        "restored": restored.bookmark,
        "undone": undone[: len("no such table")],
        "at_time": at_time,
    }


def polled(answer, poll):
    for _ in range(60):
        if answer.status != "active":
            return answer
        answer = poll(answer.at_bookmark)
    raise TimeoutError("sixty polls")


def part_export(uuid):
    """The options are only in the first request, as users write it."""
    options = {"tables": ["books", "authors"]}
    first = databases.export(uuid, account_id=ACCOUNT, output_format="polling", dump_options=options)
    last = polled(
        first,
        lambda bookmark: databases.export(
            uuid, account_id=ACCOUNT, output_format="polling", current_bookmark=bookmark
        ),
    )
    sql = httpx.get(last.result.signed_url).raise_for_status().text
    return {"status": last.status, "filename": last.result.filename, "sql": sql}


def part_import(uuid, path):
    sql = pathlib.Path(path).read_bytes()
    etag = hashlib.md5(sql).hexdigest()
    begun = databases.import_(uuid, account_id=ACCOUNT, action="init", etag=etag)
    httpx.put(begun.upload_url, content=sql).raise_for_status()
    first = databases.import_(uuid, account_id=ACCOUNT, action="ingest", etag=etag, filename=begun.filename)
    last = polled(
        first,
        lambda bookmark: databases.import_(uuid, account_id=ACCOUNT, action="poll", current_bookmark=bookmark),
    )
    return {"status": last.status, "error": last.error, "queries": last.result and last.result.num_queries}


part, *arguments = sys.argv[1:]
print(json.dumps(globals()[f"part_{part}"](*arguments)))
