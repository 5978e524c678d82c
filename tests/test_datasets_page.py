"""The Datasets page: opens on a finished set, uploads become sets, settings reach the pictures and the code."""

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from components.figures import datasets as figures
from models import cnn
from models.core import runs
from models.data import convert_tables, image_sets, workspace
from models.datasets import streaming
from tests.conftest import ROOT
from tests.waiting import settled


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


def test_classes_that_were_changed_are_kept_as_a_set_of_its_own():
    at = opened(datasets__rename='{"flower": "blossom"}')
    assert not [b for b in at.get("page_link") if "Train on these" in b.proto.label]
    at.button(key="datasets:relabelled").click().run()
    deadline = time.monotonic() + 60
    while "datasets-data" not in at.query_params:
        assert time.monotonic() < deadline
        assert not at.run().exception
    data = at.query_params["datasets-data"]
    data = data if isinstance(data, str) else data[-1]
    assert image_sets.card(data).classes == {"blossom": 40, "temple": 40}
    at.run()
    assert metric(at, "Pictures") == "80"
    assert "datasets-rename" not in at.query_params
    assert [b for b in at.get("page_link") if "Train on these" in b.proto.label]


def test_the_network_of_the_last_cnn_run_trains_on_the_loaders_batches():
    at = opened(datasets__view="DataLoader")
    assert not [b for b in at.button if b.key == "loading:last"]
    layers = "conv 3 5, relu, flatten, linear"
    client, owner = runs.client(), at.session_state["_owner"]
    run = client.start(
        "models.cnn", cnn.Spec(network="own list", layers=layers), owner=owner, paused=True
    )
    at.run()
    at.button(key="loading:last").click().run()
    client.stop(run, owner)
    assert not at.exception
    assert at.query_params["loading-layers"] in (layers, [layers])
    assert at.query_params["loading-model"] in ("own layers", ["own layers"])
    assert not at.error  # they fit its pictures and classes


def test_steps_of_a_tables_columns_reach_the_batch_and_the_code_and_nonsense_is_explained():
    steps = "mass: median, log\nkind: embedding 3"
    at = settled(opened(datasets__view="Table", columns__steps=steps))
    assert not at.error
    assert (metric(at, "Numbers"), metric(at, "A network sees")) == ("8 × 1", "8 × 4")
    assert any("'mass': [Median(), Log()]" in code.value for code in at.code)
    at.text_area(key="columns-steps").set_value("mass: standardise").run()
    assert "left with 1 missing value" in at.error[0].value
    at.text_area(key="columns-steps").set_value("mass: what").run()
    assert any("is no step" in e.value for e in (*at.error, *at.warning, *at.info))


def test_words_of_a_table_are_no_markup_in_pictures_messages_and_lists():
    hostile = [
        "<b>bold</b>",
        '<a href="javascript:alert(1)">x',
        "&lt;",
        "![x](http://evil.invalid/x.png)",
        "=cmd",
    ]
    drawn: Any = figures.distribution(pd.Series(hostile * 2, dtype="category"))
    assert sorted(drawn.data[0].y) == sorted(
        w.replace("&", "&amp;").replace("<", "&lt;")[:60] for w in (h[:30] for h in hostile)
    )
    text = "n,word\n" + "\n".join(
        f'{i},"{hostile[i % 5].replace(chr(34), chr(34) * 2)}"' for i in range(40)
    )
    data = "upload:" + workspace.put(text.encode(), "<i>![x](http://evil.invalid/x.png).csv")
    at = opened(
        datasets__view="Table", tables__data=data, columns__steps=f"word: fill {hostile[3]}"
    )
    assert not at.exception
    shown = [m.value for m in (*at.markdown, *at.caption, *at.error)]
    assert not [m for m in shown if "<b>" in m.replace("\\<", "") or "![" in m.replace("\\[", "")]


def test_a_parquet_file_is_previewed_and_trained_on_as_a_whole(tmp_path: Path):
    streaming.make_table(tmp_path / "t.parquet", rows=4000)
    id = workspace.put(tmp_path / "t.parquet", "t.parquet")
    *_, last = convert_tables.train(convert_tables.Spec(f"upload:{id}", rows=500))
    table = (last.frame or {})["dataset"]
    at = settled(opened(datasets__view="Table", tables__data=f"upload:{table}"))
    assert not at.exception
    assert (metric(at, "Rows"), metric(at, "Rows of the file")) == ("500", "4,000")
    at.button(key="streaming:start").click().run()
    deadline = time.monotonic() + 60
    while "Validation loss" not in [m.label for m in at.metric]:
        assert time.monotonic() < deadline, [e.value for e in at.error]
        at.run()
    assert metric(at, "Rows learned from") == "1,500"  # one of two row groups is held back
    assert not at.exception


def test_an_archive_of_the_servers_folder_is_taken_in_only_where_its_owner_named_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    at = opened()
    assert not [b for b in at.button if b.key == "datasets:folder-take"]
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        for name in ("cat", "dog"):
            for i in range(5):
                out = io.BytesIO()
                Image.new("RGB", (8, 8), (20 * i, 10, 200 if name == "cat" else 0)).save(out, "PNG")
                archive.writestr(f"{name}/{i}.png", out.getvalue())
    (tmp_path / "notes.txt").write_text("no archive")
    monkeypatch.setenv("PLAYGROUND_FOLDER", str(tmp_path))
    at = at.run()
    assert at.selectbox(key="datasets:folder").options == ["own.zip"]
    at.button(key="datasets:folder-take").click().run()
    deadline = time.monotonic() + 60
    while metric(at, "Pictures") != "10":
        assert time.monotonic() < deadline, [e.value for e in at.error]
        at.run()
    assert metric(at, "Classes") == "2"
