"""Lesson links that ask for something else than the defaults, and whether a page that stood still kept it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from playwright.sync_api import Browser, Page

from models import autograd, cnn, convolution, datasets, filters, speed, tensor_ops, training
from models.autograd import accumulation, by_hand
from models.core import spec as specs
from models.core.spec import Spec, SpecError
from tests.browser import harness
from tests.export_laws import other_values

STILL = 3000  # ms in which what the browser sends of its own accord has arrived


@dataclass(frozen=True)
class Place:
    """Where a page shows the settings of one `Spec` and the link that is made of those in effect.

    Attributes:
        page: its word in the address; prefix: that of the settings' parameters.
        view: the parameters that open the right part of it.
        values: per field what to ask for, where not any other value will do; None for one to leave alone.
    """

    page: str
    prefix: str
    spec: type[Spec]
    view: tuple[tuple[str, str], ...] = ()
    values: tuple[tuple[str, Any], ...] = ()


PLACES = (
    Place(
        "training",
        "training",
        training.Spec,
        (("training-tab", "Code"),),
        (("data", ("spiral", "moons", "wine", "circle", "digits")), ("epochs", (7,)), ("changes", ()),
         ("layers", ("5 relu", "3 tanh, 2 tanh")), ("task", ()), ("loss", ("nll",)), ("label_smoothing", ()), ("seed", (3,)), ("lr", (0.002, 0.5))),
    ),
    Place("tensors", "tensors", tensor_ops.Spec, (), (("op", ("add", "matmul", "cumsum")),
        ("expression", ("torch.arange(6).reshape(2, 3) + 1",)), ("seed", ()))),
    Place("autograd", "autograd", autograd.Spec, (), (("preset", ("fan-out",)), ("program", ("y = 3 * x\nloss = (y * y).sum()",)),
        ("leaves", ("x = torch.tensor([1.0, 2.0], requires_grad=True)",)))),
    Place("autograd", "accumulate", accumulation.Spec, (("autograd-view", "Accumulation"),)),
    Place("autograd", "hand", by_hand.Spec, (("autograd-view", "By hand"),), (("task", ()),)),
    Place("convolution", "convolution", convolution.Spec),
    Place("convolution", "filters", filters.Spec, (("convolution-view", "Picture"),), (("image", ("flower", "digit")), ("longest", (64,)))),
    Place("cnn", "cnn", cnn.Spec, (("cnn-view", "Build and train"), ("cnn-tab", "Code")),
        (("data", ("digits 0-4", "digits 5-9")), ("network", ()), ("image_size", ()), ("epochs", (2,)), ("changes", ()))),
    Place("datasets", "datasets", datasets.Spec, (), (("data", ()),)),
    Place("speed", "speed", speed.Spec, (), (("model", ("mlp",)), ("width", (64,)), ("size", (32,)), ("part", ("memory", "precision")), ("device", ()), ("threads", (2,)))),
)  # fmt: skip


def single(place: Place) -> Iterator[Spec]:
    """Settings that differ from the defaults in one field, for every field and value worth asking for."""
    given = dict(place.values)
    default = place.spec()
    for name in specs.knobs(place.spec):
        for value in given.get(name, _near(default, name)):
            try:
                changed = default.replace(**{name: value})
            except SpecError:
                continue  # not with the others' defaults
            if changed != default:
                yield changed


def together(place: Place) -> Spec:
    """Settings that differ from the defaults in as many fields as go together."""
    given = dict(place.values)
    made = place.spec()
    for name in specs.knobs(place.spec):
        for value in given.get(name, _near(made, name)):
            try:
                made = made.replace(**{name: value})
            except SpecError:
                continue
            break
    return made


def _near(spec: Spec, name: str) -> list[Any]:
    """Other values of a field that a page can show within a moment: choices, and a step aside before the ends."""
    return [
        v for v in reversed(other_values(spec, name)) if not (name.endswith("seed") and v == 0)
    ][:3]


def path(place: Place, spec: Spec) -> str:
    """The link without the server's name."""
    asked = {f"{place.prefix}-{n}": specs.to_text(v) for n, v in spec.changed().items()}
    return f"{place.page}?{urlencode({**dict(place.view), **asked})}"


def lost(browser: Browser, server: str, place: Place, spec: Spec) -> list[str]:
    """What a browser that has never been here no longer says of a link after the page stood still.

    Held against the link: the address, and the lesson link that the page makes of the settings in effect.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(harness.PATIENCE)
    try:
        page = context.new_page()
        page.goto(f"{server}/{path(place, spec)}")
        harness.idle(page)
        page.wait_for_timeout(STILL)
        harness.idle(page)
        return [*_missing("the address", page.url, place, spec), *_in_effect(page, place, spec)]
    finally:
        context.close()


def _in_effect(page: Page, place: Place, spec: Spec) -> list[str]:
    boxes = page.get_by_role("textbox", name="Lesson link")
    boxes.first.wait_for(state="attached")
    links = [box.input_value() for box in boxes.all()]
    found = [_missing("the settings in effect", link, place, spec) for link in links]
    return min(found, key=len)


def _missing(where: str, link: str, place: Place, spec: Spec) -> list[str]:
    said = dict(parse_qsl(urlsplit(link).query, keep_blank_values=True))
    changed = {f"{place.prefix}-{n}": specs.to_text(v) for n, v in spec.changed().items()}
    wanted = {**dict(place.view), **changed}
    return [
        f"{where}: {name} is {said.get(name)!r}, asked for {text!r}"
        for name, text in wanted.items()
        if said.get(name) != text
    ]
