"""Laws of the Training page that need no browser."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from components import session
from components.controls import plain
from components.training import data, doctor
from models.core.spec import SpecError
from models.data import decoded, workspace
from models.training import Spec, predicting
from models.training.run import Run
from tests.conftest import named

CSV = "height;weight;kind\n" + "".join(
    f"{150 + 3 * (i % 17)},5;{40 + (i % 23)},{i % 10};{'ab'[(i % 17) > 8]}\n" for i in range(120)
)


def open_page(**params: str) -> AppTest:
    at = AppTest.from_file("../app/ui.py", default_timeout=60).run()
    for name, value in params.items():
        at.query_params[name if name == "run" else f"training-{name}"] = value
    at.switch_page("../pages/training.py").run()
    assert not at.exception
    return at


def run_of(at: AppTest) -> str:
    run = at.query_params["run"]
    return run if isinstance(run, str) else run[-1]


def settled(at: AppTest, *states: str) -> str:
    """The run's state once it is one of these; the page is drawn again."""
    deadline = time.monotonic() + 60
    while (state := session.client().status(run_of(at)).state) not in states:
        assert time.monotonic() < deadline, f"the run is {state}"
    assert not at.run().exception
    return state


def press(at: AppTest, name: str) -> None:
    at.button(key=f"training-transport-{name}").click().run()
    assert not at.exception


def complaint(at: AppTest) -> str:
    """The first error on the page, once a worker has found it."""
    deadline = time.monotonic() + 60
    while not at.error:
        assert time.monotonic() < deadline
        assert not at.run().exception
    return at.error[0].value


def infos(at: AppTest) -> str:
    return " ".join(e.value for e in at.info)


def test_the_page_opens_trained_without_a_word_of_complaint():
    at = open_page()
    settled(at, "done")
    assert not at.warning
    assert not at.error
    assert not at.info
    assert session.client().status(run_of(at)).epoch == 60


def test_every_tab_opens():
    at = open_page(data="breast_cancer", epochs="3")
    settled(at, "done")
    for tab in ("Curves", "Data", "Model", "Evaluate", "Runs", "Save and load", "Code"):
        at.session_state["training-tab"] = tab
        at.run()
        assert not at.exception, tab
        assert not at.error, tab


def test_a_live_setting_keeps_the_run_and_an_architecture_starts_another():
    at = open_page(data="circle", speed="2/s", epochs="5000")
    run = run_of(at)
    at.select_slider(key="training-lr").set_value(0.2).run()
    assert run_of(at) == run
    at.text_input(key="training-layers").set_value("4 relu").run()
    assert run_of(at) != run


def test_a_paused_run_stays_paused_when_the_network_changes():
    at = open_page(data="circle", epochs="3")
    settled(at, "done")
    press(at, "reset")
    settled(at, "paused")
    at.text_input(key="training-layers").set_value("4 relu").run()
    assert settled(at, "paused") == "paused"


def test_a_finished_run_is_trained_again_when_any_setting_moves():
    at = open_page(data="circle", epochs="3")
    settled(at, "done")
    run = run_of(at)
    at.select_slider(key="training-lr").set_value(0.5).run()
    assert run_of(at) != run
    settled(at, "done")


def test_settings_that_contradict_each_other_keep_what_was_on_screen():
    at = open_page(data="circle", epochs="3")
    run = run_of(at)
    at.text_input(key="training-layers").set_value("8 tanhh").run()
    assert any("tanhh" in e.value for e in at.error)
    assert run_of(at) == run
    at.text_input(key="training-layers").set_value("8 tanh").run()
    assert not at.error


@pytest.mark.parametrize("run", ["nonsense", "x" * 300, "../../etc"])
def test_a_link_whose_run_is_gone_says_so_and_trains_its_settings(run):
    at = open_page(data="circle", epochs="3", run=run)
    assert "not on this server any more" in infos(at)
    assert run_of(at) != run
    settled(at, "done")


def test_a_link_to_a_run_alone_shows_the_settings_it_was_trained_with():
    at = open_page(data="circle", epochs="3", layers="3 relu")
    settled(at, "done")
    run = run_of(at)
    other = open_page(run=run)
    assert run_of(other) == run
    assert named(other.text_input, "training-layers").value == "3 relu"
    assert "watching someone else's run" in " ".join(c.value for c in other.caption)


def test_whoever_changes_a_setting_of_anothers_run_gets_an_own_run():
    at = open_page(data="circle", epochs="3")
    settled(at, "done")
    run = run_of(at)
    other = open_page(data="circle", epochs="3", run=run)
    assert run_of(other) == run
    other.text_input(key="training-layers").set_value("2 relu").run()
    assert run_of(other) != run
    assert "your own run" in infos(other)
    assert session.client().status(run).state == "done"


def test_a_wrong_pairing_of_loss_and_task_is_explained():
    at = open_page(data="diabetes", loss="cross_entropy", epochs="3")
    assert any(plain("cross_entropy does not fit") in w.value for w in at.warning)
    settled(at, "done")


def test_a_checkpoint_loaded_while_every_place_is_taken_is_there_once_one_is_free():
    at = open_page(data="circle", epochs="3", layers="4 tanh")
    settled(at, "done")
    client, me = session.client(), at.session_state["_owner"]
    run = run_of(at)
    client.reply(run, client.send(run, me, "checkpoint"), 30)
    saved = client.blob(run, "checkpoint.pt") or b""
    others = []
    while not others or client.status(others[-1]).state != "queued":
        others.append(client.start("models.training", client.spec(run), owner=me, paused=True))
    at.session_state["training-tab"] = "Save and load"
    at.run()
    at.file_uploader(key="training-load").upload("training-checkpoint.pt", saved).run()
    assert not at.error
    assert "as soon as a place is free, training stands at epoch 3" in infos(at)
    loaded = run_of(at)
    assert client.status(loaded).state == "queued"
    for other in others:
        client.stop(other, me)
    assert client.reply(loaded, 1, 30)["epoch"] == 3
    settled(at, "done")  # as the run that was saved
    assert client.status(loaded).epoch == 3
    client.stop(loaded, me)


def test_an_uploaded_table_is_trained_on_and_a_broken_one_changes_nothing():
    at = open_page(data="circle", epochs="3")
    good = run_of(at)
    at.file_uploader(key="training-upload").upload("empty.csv", b"").run()
    complaint(at)
    assert run_of(at) == good
    at = open_page(data="circle", epochs="3")
    at.file_uploader(key="training-upload").upload("people.csv", CSV.encode()).run()
    assert not at.exception
    assert not at.error
    id = at.query_params["training-data"]
    assert (
        workspace.about((id if isinstance(id, str) else id[-1]).removeprefix("upload:")).name
        == "people.csv"
    )
    for _ in range(200):
        if any(b.key == "training-card-train" for b in at.button):
            break
        at.run()
    assert "run" not in at.query_params  # nothing is trained on a guess
    assert "the only column of a few classes" in " ".join(m.value for m in at.markdown)
    at.button(key="training-card-train").click().run()
    assert at.query_params["training-target"] in ("kind", ["kind"])
    settled(at, "done")
    made = session.client().spec(run_of(at))
    assert (made.data.startswith("upload:"), made.target) == (True, "kind")


def test_the_cards_corrections_take_effect_with_its_button():
    upload = "upload:" + workspace.put(CSV.encode(), "people.csv", "me")
    at = open_page(data=upload, epochs="2")
    target = next(s for s in at.selectbox if (s.key or "").endswith("-target"))
    target.set_value("weight").run()
    assert "run" not in at.query_params
    features = next(m for m in at.multiselect if "-features-" in (m.key or ""))
    features.set_value([]).run()
    assert "Choose at least one" in complaint(at)
    assert at.button(key="training-card-train").disabled
    features = next(m for m in at.multiselect if "-features-" in (m.key or ""))
    features.set_value(["height"]).run()
    at.button(key="training-card-train").click().run()
    settled(at, "done")
    made = session.client().spec(run_of(at))
    assert (made.target, made.features, made.epochs) == ("weight", "height", 2)


def test_another_table_is_not_read_by_what_was_said_of_the_last_one():
    upload = "upload:" + workspace.put(CSV.encode(), "people.csv", "me")
    at = open_page(data=upload, target="kind", separator="semicolon", epochs="2")
    settled(at, "done")
    at.selectbox(key="training-data").set_value("iris").run()
    assert not at.error
    made = session.client().spec(run_of(at))
    assert (made.data, made.target, made.separator) == ("iris", "", "auto")


OWN_NAMES = "predicted,prediction,confidence,residual,p(x),y,later\n" + "".join(
    f"{i % 7},{i % 5},{i % 3},{i % 11},{i % 2},{{}}\n" for i in range(60)
)  # the last column has a name and no cells


@pytest.mark.parametrize("target", [["x", "z"], ["1.5", "2.25", "3.125"]])
def test_columns_called_as_the_pages_own_and_rows_shorter_than_the_header_are_shown(target):
    content = OWN_NAMES.format(*(target[i % len(target)] for i in range(60)))
    upload = "upload:" + workspace.put(content.encode(), "own.csv", "me")
    at = open_page(data=upload, target="y", missing="mean", epochs="2")
    settled(at, "done")
    at.session_state["training:cell"] = (0, 0)  # of the confusion matrix
    for tab in ("Data", "Evaluate", "Save and load"):
        at.session_state["training-tab"] = tab
        at.run()
        assert not at.exception, tab
        assert not at.error, tab
        tables = [list(frame.value.columns) for frame in at.dataframe]
        wanted = {"Data": ("later",), "Evaluate": ("predicted", "predicted (own)")}
        for name in wanted.get(tab, ("prediction", "prediction (own)")):
            assert any(name in columns for columns in tables), (tab, name, tables)


def test_a_wrong_correction_of_how_a_table_is_read_can_be_corrected():
    upload = "upload:" + workspace.put(CSV.encode(), "people.csv", "me")
    at = open_page(data=upload, target="kind", epochs="2")
    settled(at, "done")
    at.text_input(key="training-column_kinds").set_value("age=category").run()
    assert "no such column" in complaint(at)
    at.text_input(key="training-column_kinds").set_value("weight=category").run()
    assert not at.error


def test_rows_to_predict_are_read_as_the_data_was():
    train = "size;kind;weight\n" + "".join(f"{'S1'[i % 2]};{i % 2};{i},5\n" for i in range(40))
    spec = Spec(
        data="upload:" + workspace.put(train.encode(), "train.csv", "me"),
        target="kind",
        column_kinds="kind=category",
        separator="semicolon",
        missing="drop",
    )
    id = workspace.put(train.encode(), "train.csv", "me")
    decoded.profile(id, spec.csv)
    file: Any = io.BytesIO(b"size;weight\n1;3,5\n1;4,5\n")
    file.size, file.name = 20, "new.csv"
    table = None
    while table is None:  # a worker reads it
        file.seek(0)
        table = data.own_rows(spec, file)  # without the target, and with nothing but numbers
    assert table["size"].tolist() == ["1", "1"]
    assert table["weight"].tolist() == [3.5, 4.5]
    assert predicting.predict(Run(spec), table)["predictions"]
    table["weight"] = [3.5, float("nan")]
    filled = predicting.predict(Run(spec.replace(missing="median")), table)
    assert len(filled["predictions"]) == 2
    with pytest.raises(SpecError, match=r"Row 2 .* in column 'weight'"):
        predicting.predict(Run(spec), table)


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("header.csv", b"a,b,c\n", "row"),
        ("one.csv", b"a\n1\n2\n3\n", "column"),
        ("class.csv", b"a,b\n1,x\n2,x\n3,x\n", "never changes"),
        ("binary.csv", bytes(range(256)) * 40, ""),
    ],
)
def test_a_table_that_cannot_be_learned_from_gets_a_sentence(name, content, word):
    at = open_page(data="circle", epochs="3")
    good = run_of(at)
    at.file_uploader(key="training-upload").upload(name, content).run()
    assert word in complaint(at)
    assert run_of(at) == good


def test_a_diverging_run_gets_a_diagnosis_and_a_fix_that_works():
    at = open_page(data="reg_plane", lr="100.0", epochs="20", layers="8 relu")
    settled(at, "done")
    fixes = [b for b in at.button if b.key and b.key.startswith("training-fix-")]
    assert fixes
    run = run_of(at)
    fixes[0].click().run()
    at.run()
    assert not at.exception
    assert run_of(at) != run
    assert session.client().spec(run_of(at)).lr < 100


@pytest.mark.parametrize(("name", "another"), [("divergence", True), ("lr_small", False)])
def test_a_fix_reaches_the_run_under_way_unless_its_weights_are_spoilt(monkeypatch, name, another):
    told = {"findings": [{"name": name, "text": "So it is.", "fix": {"lr": 0.01}}]}
    known = SimpleNamespace(latest={"doctor": told}.get)
    monkeypatch.setattr(doctor, "news", SimpleNamespace(of=lambda run: known))
    at = open_page(data="circle", speed="2/s", epochs="5000")
    run = run_of(at)
    at.button(key=f"training-fix-0-{name}").click().run()
    at.run()
    assert (run_of(at) != run) == another
    assert session.client().spec(run_of(at)).lr == (0.01 if another else 0.1)
    press(at, "play")


@pytest.mark.parametrize(
    ("data", "offered"),
    [
        ("iris", {"auto", "cross_entropy", "multi_margin", "nll"}),
        ("breast_cancer", {"auto", "cross_entropy", "multi_margin", "nll", "bce_with_logits"}),
        ("diabetes", {"auto", "mse", "l1", "huber"}),
        ("xor", {"auto", "cross_entropy", "multi_margin", "nll", "bce_with_logits"}),
        ("reg_plane", {"auto", "mse", "l1", "huber"}),
    ],
)
def test_only_losses_that_fit_the_data_are_offered(data, offered):
    at = open_page(data=data, epochs="2")
    loss: Any = at.get_by_key("training-loss")
    assert set(loss.options) == offered
    assert not at.warning
