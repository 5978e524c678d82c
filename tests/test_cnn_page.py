"""The CNN page: every view opens, one setting moves one answer, what does not fit is explained."""

import io
from pathlib import Path

from PIL import Image
from streamlit.testing.v1 import AppTest

from models.cnn import judging, looking
from tests.waiting import settled

ROOT = Path(__file__).resolve().parents[1]


def open_page(**params: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app/ui.py", default_timeout=60)
    at.run()
    at.switch_page("../pages/cnn.py")
    for name, value in params.items():
        at.query_params[name.replace("__", "-")] = value
    return at.run()


def texts(at: AppTest) -> str:
    return " ".join(element.value for element in at.markdown)


def test_a_trained_network_answers_at_first_sight_and_another_digit_moves_the_answer():
    at = open_page()
    assert not at.exception
    assert "The network says **3**" in texts(at)
    at.number_input(key="look-row").set_value(4).run()
    assert "The network says **4**" in texts(at)
    assert "right" in texts(at)


def test_a_link_brings_network_and_picture_back():
    at = open_page(look__network="LeNet-5", look__image="china", look__seed="4")
    assert not at.exception
    assert "Random weights" in texts(at)


def test_an_own_picture_is_looked_at_and_anything_else_refused():
    at = open_page(look__image="china")
    out = io.BytesIO()
    Image.new("RGB", (1, 1), (200, 10, 10)).save(out, "PNG")
    at.file_uploader(key="look-image:file").upload("dot.png", out.getvalue(), "image/png").run()
    settled(at)
    assert "The network says" in texts(at)
    at.file_uploader(key="look-image:file").upload("bad.png", b"<html>", "image/png").run()
    assert any("not an image" in error.value for error in at.error)
    assert "The network says" in texts(at)
    assert not at.exception


def test_weights_of_another_network_are_explained_and_the_page_stays():
    at = open_page(look__network="resnet18")
    at.file_uploader(key="look-file").upload("bad.pth", b"no weights", "application/x").run()
    assert any("no weights file" in error.value for error in at.error)
    assert not at.exception
    assert "Random weights" in texts(at)


def test_the_pictures_a_channel_likes_and_the_activations_of_a_class_are_shown():
    at = open_page()
    at.session_state["cnn-look-tab"] = "Activations of a class"
    at.run()
    assert not at.exception
    at.selectbox(key="look-class").select(7).run()
    at.selectbox(key="look-class").select(4).run()
    assert any("Mean activation of each channel of 5 ReLU" in c.value for c in at.caption)
    at.session_state["cnn-look-tab"] = "Strongest pictures"
    at.run()
    assert any("on each of 1797 pictures" in c.value for c in at.caption)
    assert not at.exception


def test_any_network_looks_at_any_set():
    at = open_page(look__network="small ResNet", look__image="china")
    at.session_state["cnn-look-tab"] = "Strongest pictures"
    at.run()
    at.selectbox(key="look-strong-set-photos").select("digits").run()
    assert any("on each of 1797 pictures" in c.value for c in at.caption)
    assert not at.exception


def test_a_set_that_has_to_be_downloaded_says_so_and_starts_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    at = open_page(cnn__view="Build and train", cnn__data="MNIST")
    assert any("press Download" in info.value for info in at.info)
    assert at.button(key="cnn-data-download-MNIST").label == "Download MNIST (12 MB)"
    assert "run" not in at.query_params
    at.selectbox(key="cnn-data").select("digits").run()
    assert "run" in at.query_params
    assert not at.exception


def test_a_layer_that_does_not_fit_is_shown_after_those_that_do():
    layers = "conv 8 3, relu, max_pool 2, linear"
    at = open_page(cnn__view="Build and train", cnn__network="own list", cnn__layers=layers)
    assert any("Layer 4" in error.value and "flatten" in error.value for error in at.error)
    assert list(at.dataframe[0].value["output"]) == [
        "8 × 14 × 14", "8 × 14 × 14", "8 × 7 × 7", "does not fit",
    ]  # fmt: skip
    at.text_input(key="cnn-layers").set_value("conv 8 3, relu, flatten, linear").run()
    assert not at.error
    assert not at.exception


def test_the_shipped_network_is_judged_and_the_test_pictures_wait():
    at = open_page(cnn__view="Evaluate")
    assert not at.exception
    shown = {metric.label: metric.value for metric in at.metric}
    assert float(shown["accuracy"]) > 0.97
    assert float(shown["top-3"]) >= float(shown["accuracy"])
    at.segmented_control(key="cnn-split").set_value("test").run()
    assert not at.metric
    at.button(key="cnn-test").click().run()
    assert float({m.label: m.value for m in at.metric}["rows"]) == 360


def test_a_mistake_shows_its_maps_and_where_the_network_looked_and_leads_on():
    at = open_page(cnn__view="Evaluate")
    report = judging.report(looking.bench(looking.Spec()), "val")
    at.session_state["cnn:closer-worst"] = int(judging.worst(report)[0])
    at.run()
    at.button(key="cnn-worst-Look inside").click().run()
    assert not at.exception
    assert "**wrong**" in texts(at)


def test_k_of_top_k_is_the_learners():
    at = open_page(cnn__view="Evaluate")
    shares = []
    for k in (1, 2, 10):
        at.number_input(key="cnn-k").set_value(k).run()
        shares.append(float({m.label: m.value for m in at.metric}[f"top-{k}"]))
    assert shares[0] == float({m.label: m.value for m in at.metric}["accuracy"])
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert not at.exception


def test_explanations_stand_side_by_side_with_their_check():
    at = open_page(cnn__view="Explain")
    assert not at.exception
    said = texts(at) + " ".join(c.value for c in at.caption)
    for word in ("Grad-CAM", "Convergence delta", "Delete the pixels", "torch.relu"):
        assert word in said


def test_transfer_opens_with_its_code():
    at = open_page(cnn__view="Transfer")
    assert not at.exception
    assert any("fine_tuned" in block.value for block in at.code)
    at.text_input(key="transfer-sizes").set_value("3").run()
    assert any("two to eight" in error.value for error in at.error)


def test_what_datasets_was_set_to_is_trained_with_and_the_rest_is_named():
    at = AppTest.from_file(ROOT / "app/ui.py", default_timeout=60)
    at.run()
    at.switch_page("../pages/datasets.py")
    at.query_params["datasets-side"] = "96"
    at.run()
    link = next(e for e in at.get("page_link") if "Train on these" in e.proto.label)
    assert "cnn-image_size=96" in link.proto.query_string
    at.switch_page("../pages/cnn.py")
    for pair in link.proto.query_string.split("&"):
        name, _, value = pair.partition("=")
        at.query_params[name] = value.replace("+", " ")
    at.run()
    assert not at.exception
    said = " ".join(c.value for c in at.caption)
    assert "ColorJitter" in said
    assert "The split is made anew" in said
    assert at.slider(key="cnn-image_size").value == 96


def test_evaluate_and_explain_have_their_code_and_a_link_to_themselves():
    for view, words in (("Evaluate", "top_3"), ("Explain", "def _gradcam")):
        at = open_page(cnn__view=view, look__row="4")
        assert not at.exception
        assert any(words in block.value for block in at.code)
