"""The Convolution page: opens, one setting moves one number, contradictions are explained, pictures are taken in."""

import io
from pathlib import Path

from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.conftest import named
from tests.waiting import settled

ROOT = Path(__file__).resolve().parents[1]


def open_page(**params: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app/ui.py", default_timeout=60)
    at.run()
    at.switch_page("../pages/convolution.py")
    for name, value in params.items():
        at.query_params[name.replace("__", "-")] = value
    return at.run()


def texts(at: AppTest) -> str:
    return " ".join(element.value for element in at.markdown)


def test_one_setting_moves_the_output_size_and_the_export():
    at = open_page()
    assert not at.exception
    assert "= 4" in texts(at)
    at.slider(key="convolution-kernel_size").set_value(5).run()
    assert "− 1 × (5 − 1)" in texts(at)
    assert any("nn.Conv2d(1, 1, 5" in block.value for block in at.code)


def test_a_contradiction_is_explained_and_the_last_picture_stays():
    at = open_page()
    at.slider(key="convolution-kernel_size").set_value(9).run()
    assert any("reaches over 9 cells" in error.value for error in at.error)
    assert "= 4" in texts(at)
    at.slider(key="convolution-pad").set_value(2).run()
    assert not at.error


def test_the_stride_that_does_not_divide_is_said():
    at = open_page(convolution__stride="2")
    assert any("never read" in info.value for info in at.info)


def test_an_uploaded_picture_becomes_the_picture_and_anything_else_is_refused():
    at = open_page(convolution__view="Picture")
    out = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 10, 10)).save(out, "PNG")
    at.file_uploader(key="filters-image:file").upload("red.png", out.getvalue(), "image/png").run()
    settled(at)
    chosen = named(at.selectbox, "filters-image").value
    assert str(chosen).startswith("upload:")
    at.file_uploader(key="filters-image:file").upload("bad.png", b"<svg/>", "image/png").run()
    assert any("not an image" in error.value for error in at.error)
    assert named(at.selectbox, "filters-image").value == chosen
    assert not at.exception


def test_a_link_to_a_picture_that_is_not_here_says_so_and_offers_another():
    at = open_page(convolution__view="Picture", filters__image="upload:" + "0" * 64)
    assert any("not on this server" in error.value for error in at.error)
    assert not at.exception
    at.selectbox(key="filters-image").select("flower").run()
    assert not at.error


def test_typing_into_the_kernels_grid_makes_it_a_typed_one_of_any_size():
    at = open_page(convolution__view="Picture", filters__kernel="box")
    mind = at.session_state["filters-kernel:grid"]
    assert len(mind.base) == 3
    assert "Type into a cell" in " ".join(c.value for c in at.caption)
    at = open_page(
        convolution__view="Picture", filters__kernel="typed", filters__weights="0,1;2,3;4,5"
    )
    assert at.session_state["filters-kernel:grid"].base == [[0, 1], [2, 3], [4, 5]]
    at.number_input(key="filters-columns:(3, 2)").set_value(3).run()
    assert named(at.text_input, "filters-weights").value == "0,1,0;2,3,0;4,5,0"
    at.number_input(key="filters-rows:(3, 3)").set_value(1).run()
    assert named(at.text_input, "filters-weights").value == "2,3,0"
    assert not at.exception


def test_the_matrix_product_is_made_when_it_is_asked_for():
    at = open_page()
    assert "unfold" not in texts(at)
    at.session_state["convolution-unfold"] = True
    at.run()
    assert "Largest difference from the layer's own output: **0**" in texts(at)
    assert at.dataframe
    assert not at.exception
