"""The page: Gradio's components around a `Service`. It computes nothing.

Gradio reads its settings from the environment when it is first imported, so `server` imports this module, after it has
set them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr

from wavelens.app import html
from wavelens.app.choices import (
    CLOUD_DOMAINS,
    FURTHER_DOMAINS,
    MAX_CHARACTERS,
    MAX_LEVELS,
    MIN_GRADIENTS,
    NO_WAVELET,
    WAVELETS,
    Wish,
    default_levels,
    methods_of,
    takes_prompts,
    usual_name,
)
from wavelens.app.example import example_photo
from wavelens.app.request_queue import Refused, Stopped
from wavelens.app.served import Result
from wavelens.app.service import Service
from wavelens.app.uploads import Uploads
from wavelens.targets.values import NEXT

TITLE = "wavelens"
# Below a narrow page's controls lies what is being done, and later the result, and nobody sees it.
SHOW_RESULT = """() => {
    if (innerWidth < 800) document.getElementById('wl-status').scrollIntoView({behavior: 'smooth', block: 'start'});
}"""
# The example is sent as any file is: from the page, through the same input.
USE_EXAMPLE = """async () => {
    const input = document.querySelector('#wl-upload input[type=file]');
    if (!input) return;
    const photo = await (await fetch('example')).blob();
    const held = new DataTransfer();
    held.items.add(new File([photo], 'example.png', {type: 'image/png'}));
    input.files = held.files;
    input.dispatchEvent(new Event('change', {bubbles: true}));
}"""
MAX_NAMED_CLASSES = 2000  # in a list to choose from
AUTOMATIC = 0  # levels: as deep as suits the kind


class Page:
    """What happens when something is dropped, chosen or pressed; each gives the new state of the components."""

    def __init__(self, service: Service, uploads: Uploads) -> None:
        self.service, self.uploads = service, uploads

    def look(self, upload: str | None, model: str, request: gr.Request) -> Any:
        """The classes of an upload, by a model that takes it.

        They are model, wavelet, class, answer, status, start, methods, and what the class may be set against.
        """
        nothing = gr.Dropdown(choices=named_classes(self.service, model), value=None)
        if upload is None:
            return *(gr.skip(),) * 2, nothing, "", "", gr.Button(interactive=False), *(gr.skip(),) * 2
        try:
            path = self._path(upload, request)
            chosen = self.service.suited(model, path)
            preview = self.service.preview(request.session_hash, chosen, path)
        except Refused as error:
            refused = html.alert(str(error))  # below the upload, so that it is seen on a phone too
            return *(gr.skip(),) * 2, nothing, refused, "", gr.Button(interactive=False), *(gr.skip(),) * 2
        except Stopped:
            return (gr.skip(),) * 8
        options = [(html.chance(row, " · "), row["index"]) for row in preview.classes]
        shown = {index for _, index in options}
        options += [one for one in named_classes(self.service, chosen) if one[1] not in shown]
        return (
            chosen,
            usual_wavelet(self.service, chosen),
            gr.Dropdown(choices=options, value=options[0][1]),
            html.answer(path.name, preview.classes, preview.picture),
            "",
            gr.Button(interactive=True),
            gr.skip() if chosen == model else gr.Dropdown(**_methods(self.service, chosen)),
            gr.Dropdown(choices=others(self.service, chosen, options), value=""),
        )

    def methods(self, model: str) -> Any:
        """The methods that a model which was chosen has."""
        return gr.Dropdown(**_methods(self.service, model)) if model in self.service.models else gr.skip()

    def depths(self, model: str, wavelet: str) -> Any:
        """The levels to choose from, with the default of a model in a domain."""
        known = model in self.service.models
        return gr.Dropdown(choices=depth_choices(self.service, model, wavelet)) if known else gr.skip()

    def explain(
        self,
        upload: str | None,
        model: str,
        target: int | str | None,
        wavelet: str,
        levels: int,
        method: str,
        most: int,
        prompt: str,
        against: int | str | None,
        against_prompt: str,
        request: gr.Request,
    ) -> Iterator[Any]:
        """Steps, then the result: status, result, start, end. Gradio closes it when the page goes."""
        if upload is None:
            yield html.alert("Drop a file first."), gr.skip(), *_buttons(busy=False)
            return
        wish = Wish(target, wavelet, levels or None, method, most, prompt, against, against_prompt)
        try:
            path = self._path(upload, request)
        except Refused as error:
            yield html.alert(str(error)), gr.skip(), *_buttons(busy=False)
            return
        steps = self.service.explain(request.session_hash, model, path, wish)
        try:
            for step in steps:
                done = isinstance(step, Result)
                texts = ("", html.result(step)) if isinstance(step, Result) else (html.waiting(step), gr.skip())
                yield *texts, *_buttons(busy=not done)
        except Refused as error:
            yield html.alert(str(error)), gr.skip(), *_buttons(busy=False)
        except Stopped:
            yield html.alert("Stopped."), gr.skip(), *_buttons(busy=False)
        finally:
            steps.close()

    def _path(self, upload: str, request: gr.Request) -> Path:
        path = self.uploads.path(request.request.state.visitor, str(upload))
        if path is None:
            raise Refused("this file is no longer on the server. Drop it again.")
        return path

    def stop(self, request: gr.Request) -> None:
        self.service.stop(request.session_hash)

    def leave(self, request: gr.Request) -> None:
        self.service.leave(request.session_hash)


def page(service: Service, uploads: Uploads) -> gr.Blocks:
    """The blocks of the page; what it runs is run by `service`, on what `uploads` holds."""
    events, names = Page(service, uploads), list(service.models)
    many = service.limits.running + service.limits.waiting
    with gr.Blocks(title=TITLE, analytics_enabled=False) as blocks:
        gr.HTML(_asset("head.html"))
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                upload = _drop(service)
                if example_photo(service.models.values()) is not None:
                    try_one = gr.Button("Try an example", size="sm", elem_id="wl-example")
                    try_one.click(None, js=USE_EXAMPLE)
                answer = gr.HTML(elem_id="wl-seen")
                model = gr.Dropdown(names, value=names[0], label="Model", elem_id="wl-model")
                classes = named_classes(service, names[0])
                target = gr.Dropdown(classes, value=None, label="Class to explain", elem_id="wl-target")
                against = gr.Dropdown(
                    others(service, names[0], classes), value="", label="Against", elem_id="wl-against"
                )
                prompt = _prompt(service, "Prompt, in place of a class", "a dog on a sofa", "wl-prompt")
                against_prompt = _prompt(service, "Against this prompt", "a cat on a sofa", "wl-against-prompt")
                with gr.Row():
                    clouds = any(usual_wavelet(service, name) in CLOUD_DOMAINS for name in names)
                    wavelets = [*WAVELETS, *FURTHER_DOMAINS, *(CLOUD_DOMAINS if clouds else ()), NO_WAVELET]
                    wavelet = gr.Dropdown(
                        wavelets,
                        value=usual_wavelet(service, names[0]),
                        label="Wavelet or domain",
                        min_width=120,
                        elem_id="wl-wavelet",
                    )
                    depths = depth_choices(service, names[0], usual_wavelet(service, names[0]))
                    levels = gr.Dropdown(depths, value=AUTOMATIC, label="Levels", min_width=120, elem_id="wl-levels")
                method = gr.Dropdown(**_methods(service, names[0]), label="Method", elem_id="wl-method")
                most = gr.Slider(
                    MIN_GRADIENTS, service.limits.gradients, _gradients(service), step=1, label="Gradients, at most"
                )
                with gr.Row():
                    start = gr.Button("Explain", variant="primary", interactive=False, min_width=80, elem_id="wl-start")
                    end = gr.Button("Stop", interactive=False, min_width=80, elem_id="wl-end")
            with gr.Column(scale=3, min_width=320):
                status = gr.HTML(elem_id="wl-status")
                result = gr.HTML(elem_id="wl-shown")
        # values come as the page has them, and are checked by the service
        plain = {"preprocess": False, "show_progress": "hidden", "concurrency_limit": many, "api_visibility": "private"}
        looked_up = [model, wavelet, target, answer, status, start, method, against]
        for event in (upload.change, model.input):
            event(events.look, [upload, model], looked_up, **plain)
        wished = [upload, model, target, wavelet, levels, method, most, prompt, against, against_prompt]
        start.click(None, js=SHOW_RESULT)
        start.click(events.explain, wished, [status, result, start, end], **plain).then(None, js=SHOW_RESULT)
        end.click(events.stop, **plain)
        blocks.unload(events.leave)
        model.input(events.methods, [model], [method], **plain)
        for event in (model.change, wavelet.change):
            event(events.depths, [model, wavelet], [levels], **plain)
    blocks.queue(max_size=4 * many)
    return blocks


def _drop(service: Service) -> gr.File:
    """Where a file is dropped. Gradio knows it by the name that `Uploads` gave it: it opens and copies nothing."""
    drop = gr.File(label=_kinds(service), file_types=_suffixes(service), height=180, elem_id="wl-upload")
    drop.data_model, drop.api_info = None, dict
    return drop


def _prompt(service: Service, label: str, example: str, name: str) -> gr.Textbox:
    """A field for a text, shown where a model takes any."""
    takes_texts = any(takes_prompts(one.loaded) for one in service.models.values())
    return gr.Textbox(label=label, placeholder=example, max_length=MAX_CHARACTERS, visible=takes_texts, elem_id=name)


def named_classes(service: Service, model: str) -> list[tuple[str, int]]:
    """The classes of a model with their indices, to be chosen before anything is dropped; none of a detector."""
    served = service.models.get(model)
    if served is None or served.loaded.answer is not None:
        return []
    return [(label.split(", ")[0], index) for index, label in enumerate(served.loaded.labels)][:MAX_NAMED_CLASSES]


def others(service: Service, model: str, classes: Sequence[tuple[str, int]]) -> list[tuple[str, int | str]]:
    """What a class may be set against: nothing, the runner-up, or another class; nothing for a detector's objects."""
    served = service.models.get(model)
    if served is None or served.loaded.answer is not None or len(served.loaded.labels) < 2:
        return [("nothing", "")]
    return [("nothing", ""), ("the runner-up", NEXT), *classes]


def usual_wavelet(service: Service, model: str) -> str:
    """The wavelet that the command would take for a model's kind of signal."""
    served = service.models[model]
    return usual_name(served.kind.domain(served.loaded.preprocess.shape[1:]))


def depth_choices(service: Service, model: str, wavelet: str) -> list[tuple[str, int]]:
    """Numbers of levels; first the default, which is named where the domain has one number for all axes."""
    served = service.models[model]
    levels = default_levels(wavelet, served.kind, served.loaded.preprocess.shape[1:])
    default = "default" if levels is None else f"default ({levels})"
    return [(default, AUTOMATIC), *((str(n), n) for n in range(1, MAX_LEVELS + 1))]


def _methods(service: Service, model: str) -> dict[str, Any]:
    """The choices of methods for a model; gradients are offered for those that have them."""
    names = list(methods_of(service.models[model].loaded))
    return {"choices": names, "value": names[0]}


def look_of_it() -> dict[str, Any]:
    """Theme and style: fonts of the system alone, so that nothing is asked for elsewhere."""
    system = ["system-ui", "sans-serif"]
    mono = ["ui-monospace", "monospace"]
    theme = gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=system, font_mono=mono)
    return {"theme": theme, "css": _asset("page.css")}


def _buttons(busy: bool) -> tuple[Any, Any]:
    return gr.Button(interactive=not busy), gr.Button(interactive=busy)


def _gradients(service: Service) -> int:
    return min(Wish.gradients, service.limits.gradients)


def _kinds(service: Service) -> str:
    *others, last = dict.fromkeys(one.kind.name for one in service.models.values())
    kinds = f"{', '.join(others)} or {last}" if others else last
    return f"{kinds[0].upper()}{kinds[1:]}, up to {service.limits.megabytes:g} MB"


def _suffixes(service: Service) -> list[str]:
    """The ends of names that the models read; of two-part ones the last, which is all that a browser looks at."""
    suffixes = {f".{suffix.rpartition('.')[2]}" for one in service.models.values() for suffix in one.kind.suffixes}
    return sorted(suffixes)


def _asset(name: str) -> str:
    return (files("wavelens.app") / "assets" / name).read_text(encoding="utf-8")
