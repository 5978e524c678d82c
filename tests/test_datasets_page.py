"""The Datasets page: opens on a finished set, uploads become sets, settings reach the pictures and the code."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT


def opened(**params: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app/ui.py"), default_timeout=120).run()
    at.switch_page("../pages/datasets.py")
    for name, value in params.items():
        at.query_params[name.replace("__", "-")] = value
    return at.run()


def metric(at: AppTest, label: str) -> str:
    return next(m.value for m in at.metric if m.label == label)


def test_the_page_opens_on_a_set_that_is_split():
    at = opened()
    assert not at.exception
    assert metric(at, "Pictures") == "80"
    assert metric(at, "Train / val / test") == "56 / 16 / 8"


@pytest.mark.parametrize("view", ["Dataset", "Transforms", "DataLoader", "Table", "Text"])
def test_every_view_opens_without_an_error(view: str):
    at = opened(datasets__view=view)
    assert not at.exception
    assert not at.error
