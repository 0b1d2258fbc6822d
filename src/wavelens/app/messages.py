"""What a page may send to Gradio's queue: which event, and a plain value for each of its inputs.

Gradio itself takes anything: addresses to fetch, paths on the server, updates of components, numbers of any length.
What it cannot use it writes to the log. Nothing of that reaches it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from wavelens.app.refusals import RequestRefused

MAX_TEXT = 400  # characters of a value: the longest are names of uploads
MAX_NUMBER = 2**31
SESSION = re.compile("[a-z0-9]{1,32}")


def checked_message(body: bytes, inputs: Mapping[int, int]) -> dict[str, Any]:
    """The message of a page, with nothing in it but what its event takes; `RequestRefused` for anything else.

    `inputs` is the number of inputs of each event. An uploaded file becomes its name.
    """
    try:
        message = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise RequestRefused(400, "A message is a JSON object.") from None
    if not isinstance(message, dict):
        raise RequestRefused(400, "A message is a JSON object.")
    event, session, data = (message.get(key) for key in ("fn_index", "session_hash", "data"))
    if not isinstance(session, str) or not SESSION.fullmatch(session):
        raise RequestRefused(400, "A message names the page that sends it.")
    if type(event) is not int or event not in inputs:
        raise RequestRefused(400, "A message names an event of the page.")
    if not isinstance(data, list) or len(data) != inputs[event]:
        raise RequestRefused(400, f"This event takes {inputs[event]} values.")
    return {"data": [_plain(value) for value in data], "fn_index": event, "session_hash": session}


def _plain(value: Any) -> str | int | float | None:
    if isinstance(value, dict):
        value = value.get("path")
        if not isinstance(value, str):
            raise _unusable()
    if isinstance(value, str):
        usable = len(value) <= MAX_TEXT and value.isprintable()
    else:
        usable = value is None or (type(value) in (int, float) and abs(value) <= MAX_NUMBER)
    if not usable:
        raise _unusable()
    return value  # type: ignore[no-any-return]


def _unusable() -> RequestRefused:
    return RequestRefused(400, f"Values are numbers, texts of at most {MAX_TEXT} characters, and uploads.")


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
