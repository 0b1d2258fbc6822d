"""Where a page sends a file, learns how much of it has arrived, and gets it back."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import AsyncIterator
from typing import Any

from wavelens.app.refusals import RequestRefused
from wavelens.app.request_limits import UPLOAD
from wavelens.app.service import Service
from wavelens.app.uploads import Upload, Uploads
from wavelens.app.visitors import Visitor
from wavelens.optional import optional

TICK_SECONDS = 0.1  # between two looks at how much has arrived
MAX_WAIT_SECONDS = 3.0  # for an upload to begin

log = logging.getLogger(__name__)


class UploadRoutes:
    """The routes, in place of Gradio's own, which take files from anyone and answer with paths on the server."""

    def __init__(self, service: Service, uploads: Uploads) -> None:
        self.service, self.uploads = service, uploads
        self._arriving: dict[tuple[Visitor, str], Upload] = {}

    def add_to(self, app: Any) -> None:
        app.add_route(UPLOAD, self._receive, methods=["POST"])
        app.add_route(f"{UPLOAD}_progress", self._progress)
        app.add_route("/gradio_api/file={name:path}", self._file)

    async def _receive(self, request: Any) -> Any:
        responses = optional("starlette.responses", "app")
        visitor, label = request.state.visitor, request.query_params.get("upload_id", "")[:64]
        await asyncio.to_thread(self.service.sweep)
        upload = self.uploads.begin(visitor)
        self._arriving[visitor, label] = upload
        try:
            return responses.JSONResponse([await self._kept(request, upload)])
        except BaseException:
            self.uploads.drop(upload)
            raise
        finally:
            self._arriving.pop((visitor, label), None)

    async def _kept(self, request: Any, upload: Upload) -> str:
        """The name of the one file of a request. Until it is complete it has no name on the disk either."""
        forms, requests = optional("starlette.formparsers", "app"), optional("starlette.requests", "app")
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise RequestRefused(400, "A file is sent as multipart/form-data.")

        async def counted() -> AsyncIterator[bytes]:
            async for chunk in request.stream():
                if not upload.size:
                    upload.sent_as = _name_within(chunk)
                self.uploads.grow(upload, len(chunk))
                yield chunk

        try:
            form = await forms.MultiPartParser(request.headers, counted(), max_files=1, max_fields=0).parse()
        except forms.MultiPartException:
            raise RequestRefused(400, "An upload is one complete file, sent as multipart/form-data.") from None
        except requests.ClientDisconnect:
            raise RequestRefused(400, "The upload ended before it was complete.") from None
        except OSError as error:
            raise _no_room(error) from None
        sent = form.get("files")
        if sent is None:
            raise RequestRefused(400, "An upload is one file, in the field 'files'.")
        try:
            return await asyncio.to_thread(self.uploads.finish, upload, sent.file, sent.filename or "")
        except OSError as error:
            raise _no_room(error) from None
        finally:
            await form.close()

    async def _progress(self, request: Any) -> Any:
        """Events as Gradio's component reads them, until the upload is complete or ends."""
        responses = optional("starlette.responses", "app")
        key = request.state.visitor, request.query_params.get("upload_id", "")[:64]
        return responses.StreamingResponse(self._steps(key), media_type="text/event-stream")

    async def _steps(self, key: tuple[Visitor, str]) -> AsyncIterator[str]:
        waited = 0.0
        while key not in self._arriving and waited < MAX_WAIT_SECONDS:
            await asyncio.sleep(TICK_SECONDS)
            waited += TICK_SECONDS
        reported = 0
        while (upload := self._arriving.get(key)) is not None:
            if upload.size > reported:
                step = {"msg": "update", "orig_name": upload.sent_as, "chunk_size": upload.size - reported}
                reported = upload.size
                yield f"data: {json.dumps(step)}\n\n"
            await asyncio.sleep(TICK_SECONDS)
        yield f"data: {json.dumps({'msg': 'done'})}\n\n"

    async def _file(self, request: Any) -> Any:
        responses = optional("starlette.responses", "app")
        path = self.uploads.path(request.state.visitor, request.path_params["name"])
        if path is None:
            raise RequestRefused(404, "This upload is no longer there.")
        return responses.FileResponse(path, filename=path.name, media_type="application/octet-stream")


def _name_within(beginning: bytes) -> str:
    """The name by which the page knows the file, for its bar of progress alone."""
    match = re.search(rb'filename="([^"]{1,400})"', beginning)
    return match[1].decode(errors="replace") if match else ""


def _no_room(error: OSError) -> RequestRefused:
    log.error("an upload could not be written: %s", os.strerror(error.errno) if error.errno else type(error).__name__)
    return RequestRefused(507, "The server cannot write the upload; its log says why.")
