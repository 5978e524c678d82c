"""Downloading weights: kept where it works, a sentence where it does not."""

from types import SimpleNamespace

import pytest

from models.cnn import pretrained
from models.core.spec import SpecError
from models.data import workspace


def test_what_the_address_gives_is_kept_with_its_progress(tmp_path, monkeypatch):
    content = bytes(range(256)) * 9000  # more than two chunks
    (tmp_path / "resnet18-f37072fd.pth").write_bytes(content)
    url = (tmp_path / "resnet18-f37072fd.pth").as_uri()
    monkeypatch.setattr(pretrained, "_weights", lambda name: SimpleNamespace(url=url))
    *_, last = pretrained.train(pretrained.Spec())
    assert last.final
    assert workspace.get((last.frame or {})["weights"]).read_bytes() == content


def test_without_a_network_the_sentence_says_what_to_do(monkeypatch):
    url = "http://127.0.0.1:9/resnet18.pth"  # nobody listens there
    monkeypatch.setattr(pretrained, "_weights", lambda name: SimpleNamespace(url=url))
    with pytest.raises(SpecError, match="Download the file elsewhere"):
        list(pretrained.train(pretrained.Spec()))


def test_how_much_it_is_is_known_before():
    assert 40 < pretrained.megabytes("resnet18") < 50
