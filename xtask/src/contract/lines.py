"""Bodies that are lines of JSON, for schemathesis: it knows the schema of one line, and an export has several."""

import base64
import hashlib
import json
import zlib

import jsonschema_rs
import schemathesis

LINES = "application/x-ndjson"

# What a line that was made up stands between, so that some of them are taken in.
FIRST = {
    "/docs/v1/import": {"format": "syncline-documents", "version": 1},
    "/sync/v1/import": {"format": 1, "epoch": "1", "as_of": "9", "types": {"stock": {"policy": "lww"}}, "records": 1},
}
LAST = {
    "/docs/v1/import": lambda before: {"end": True, "documents": 1, "unreadable": 0},
    "/sync/v1/import": lambda before: {"sha256": hashlib.sha256(before).hexdigest(), "records": 1},
}
# A text of one letter and an empty document, as Yjs writes them.
STATES = [base64.b64encode(state).decode() for state in (b"\x01\x01\x01\0\x04\x01\x01t\x01a\0", b"\0\0")]


def line(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"


@schemathesis.serializer(LINES)
def write(context, value):
    choice = zlib.crc32(line(value))
    path = context.case.operation.path
    if choice % 4 == 0 or path not in FIRST:
        return line(value)
    if isinstance(value, dict) and "state" in value and choice % 4 == 1:
        value = {**value, "state": STATES[choice // 4 % len(STATES)]}
    body = line(FIRST[path]) + line(value)
    return body if choice % 8 == 2 else body + line(LAST[path](body))


@schemathesis.deserializer(LINES)
def read(context, response):
    """Returns the last line. Those before it are checked here."""
    described = context.operation.schema.raw_schema
    answers = described["paths"][context.operation.path][context.operation.method]["responses"]
    schema = answers[str(response.status_code)]["content"][LINES]["schema"]
    validator = jsonschema_rs.validator_for({**schema, "components": described["components"]})
    lines = [json.loads(text) for text in response.content.splitlines()]
    for value in lines:
        validator.validate(value)
    return lines[-1]
