"""The server's settings: fast reruns, nothing leaves the machine, colours that everyone can tell apart."""

from __future__ import annotations

import itertools
import tomllib

import numpy as np
import pytest
from streamlit import config

from tests.conftest import ROOT

CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
BACKGROUND = {"light": "#ffffff", "dark": "#171614"}  # Streamlit's own, which the theme keeps


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("runner.postScriptGC", False),  # worth a factor of ten in every answer of the page
        ("browser.gatherUsageStats", False),
        ("server.enableXsrfProtection", True),
        ("server.enableCORS", True),
        ("server.maxUploadSize", 512),
        ("server.showEmailPrompt", False),
        ("client.toolbarMode", "viewer"),
        ("client.showErrorLinks", False),
        ("global.minCachedMessageSize", 1e12),  # no message is kept: a miss stops the page for good
    ],
)
def test_streamlit_takes_the_setting(option: str, value: object) -> None:
    assert config.get_option(option) == value


def test_every_setting_in_the_file_is_one_that_streamlit_knows() -> None:
    known = config.get_config_options()
    assert [name for name in _names(CONFIG) if name not in known] == []


def test_no_setting_asks_another_host_for_anything() -> None:
    assert "http" not in (ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("palette", ["Categorical", "Sequential", "Diverging"])
def test_every_palette_has_exactly_ten_different_colours(mode: str, palette: str) -> None:
    assert len(set(CONFIG["theme"][mode][f"chart{palette}Colors"])) == 10


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("sight", ["full", "protanopia", "deuteranopia", "tritanopia"])
def test_chart_colours_stay_apart_in_every_kind_of_sight(mode: str, sight: str) -> None:
    seen = _oklab(_linear(CONFIG["theme"][mode]["chartCategoricalColors"]) @ SIGHT[sight].T)
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
    assert min(distances) > 0.1  # five times the smallest difference an eye can see


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_chart_colours_stand_out_from_their_background(mode: str) -> None:
    colours = CONFIG["theme"][mode]["chartCategoricalColors"]
    assert min(_contrast(c, BACKGROUND[mode]) for c in colours) > 2.5
    assert min(_contrast(c, BACKGROUND[mode]) for c in colours[:2]) > 3


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_white_words_on_a_primary_button_can_be_read(mode: str) -> None:
    assert _contrast(CONFIG["theme"][mode]["primaryColor"], "#ffffff") >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_sequential_colours_grow_evenly_lighter_or_darker(mode: str) -> None:
    lightness = _oklab(_linear(CONFIG["theme"][mode]["chartSequentialColors"]))[:, 0]
    steps = np.diff(lightness)
    assert (steps > 0).all() or (steps < 0).all()


# Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB
SIGHT = {
    "full": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def _linear(colours: list[str]) -> np.ndarray:
    """(n, 3) linear RGB in 0..1 of "#rrggbb" texts."""
    srgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _oklab(linear: np.ndarray) -> np.ndarray:
    """(n, 3) lightness, green-red and blue-yellow, in which equal distances look equal (Ottosson 2020)."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    opponent = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.cbrt(np.clip(linear, 0, 1) @ cones.T) @ opponent.T


def _contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    low, high = sorted(_linear([one, other]) @ [0.2126, 0.7152, 0.0722])
    return float((high + 0.05) / (low + 0.05))


def _names(section: dict[str, object], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in section.items():
        found += _names(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return found
