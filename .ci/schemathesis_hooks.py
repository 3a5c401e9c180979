"""How schemathesis sends what is neither JSON nor plain text."""

import schemathesis


@schemathesis.serializer("application/pgp-keys")
def pgp_keys(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
