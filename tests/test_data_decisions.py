"""Every decision about a file names a setting that exists, and a choice put into it decides otherwise."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from models.data import csv_files, decisions, example
from models.data.decisions import Choice


def test_every_decision_names_a_setting_and_offers_others(tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes(example.CONTENT)
    found, _ = csv_files.read_csv(path, example.NAME)
    assert {d.topic for d in found.decisions} >= {"encoding", "separator", "header", "numbers"}
    for one in found.decisions:
        assert one.topic in decisions.TOPICS
        assert one.sentence
        assert one.option == "" or one.option in csv_files.HELP
    again = decisions.restored(dataclasses.asdict(one) for one in found.decisions)
    assert again == found.decisions


def test_a_choice_takes_the_place_of_the_setting_or_of_the_column_s_entry() -> None:
    assert decisions.put("auto", Choice("comma", "comma"), "separator") == "comma"
    chosen = decisions.put('"a, b=number",c=text', Choice("", "c=date"), "column_kinds")
    assert chosen == '"a, b=number",c=date'
    assert decisions.put("NA", Choice("", "-"), "kept_words") == "NA,-"
    assert decisions.put("NA,-", Choice("", "NA"), "kept_words") == "-,NA"
