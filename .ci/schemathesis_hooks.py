"""How schemathesis sends what is neither JSON nor plain text, and how long it waits."""

import schemathesis


@schemathesis.serializer("application/pgp-keys")
def pgp_keys(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Long polls end soon: to wait for a change that nobody makes is no failure, and takes longer than the client does."""
    query = case.query or {}
    wait = query.get("wait")
    if isinstance(wait, (int, str)) and str(wait).isdigit() and 2 < int(wait) <= 60:
        query["wait"] = 1
