"""The look of figures: zero is neutral, things are told apart by more than colour."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from components.figures import theme

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("values", "most"),
    [
        ([[1.0, -3.0]], 3.0),
        ([[2.0, 5.0]], 5.0),
        ([[math.nan, -math.inf, 0.5]], 0.5),
        ([[0.0]], 1.0),
        ([[]], 1.0),
        ([[math.nan]], 1.0),
    ],
)
def test_the_neutral_colour_is_exactly_zero(values: list, most: float) -> None:
    assert theme.zero_centred(np.array(values)) == {"zmin": -most, "zmax": most}


def test_figures_use_the_ten_colours_of_the_light_theme() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert tuple(config["theme"]["light"]["chartCategoricalColors"]) == theme.CATEGORICAL


def test_ten_things_differ_in_shape_too_and_an_eleventh_still_gets_one() -> None:
    assert len({theme.symbol(i) for i in range(10)}) == 10
    assert theme.symbol(10) == theme.symbol(0)
    assert theme.categorical(13) == theme.categorical(3)
    assert len({theme.dash(i) for i in range(6)}) == 6


def test_style_keeps_the_data_and_is_valid_for_plotly() -> None:
    fig = theme.style(go.Figure(go.Heatmap(z=[[1, 2]])))
    assert np.array_equal(np.array(fig.to_dict()["data"][0]["z"]), [[1, 2]])
    assert fig.layout.template.layout.colorway == theme.CATEGORICAL
    assert fig.layout.template.layout.font.size >= 12
