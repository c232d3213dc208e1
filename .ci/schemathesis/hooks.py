"""What schemathesis must know of the admin API that the document cannot say."""

import os

import schemathesis
from hypothesis import strategies as st

# A body that is no module is refused, and JSON Schema has no word for one that is.
with open(os.environ["WASMOOR_MODULE"], "rb") as file:
    schemathesis.openapi.media_type("application/wasm", st.just(file.read()))

MAX_KEY = 1024  # bytes


@schemathesis.hook
def filter_query(context, query):
    """Leaves out keys that are longer than the limit in bytes but not in
    characters, which are all that JSON Schema can count."""
    return not any(
        isinstance(value, str) and len(value) <= MAX_KEY < len(value.encode("utf-8", "surrogatepass"))
        for value in (query or {}).values()
    )


@schemathesis.hook
def filter_case(context, case):
    """Keeps the plugin of the examples, so that what is asked about it is there."""
    deletes = case.method == "DELETE" and case.operation.path == "/v1/plugins/{name}"
    return not (deletes and (case.path_parameters or {}).get("name") == "guestbook")
