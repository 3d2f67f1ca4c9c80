"""What is said of each source: that it is all there, agrees with its module, and can be read at 100 columns."""

from importlib import import_module

import pytest

from train import prepare
from train.data import inputs_fingerprint
from train.data.sources import NAMED, get_reader
from train.data.sources.catalogue import names
from train.publishing.licences import CONDITIONS


def test_every_module_has_its_entry():
    assert sorted(names()) == sorted(NAMED)
    for name in NAMED:
        about = get_reader(name).source
        assert about.name == name
        assert about.modality in ("dermoscopy", "clinical", "dermoscopy and clinical")
        assert about.licence in {*CONDITIONS, "other"}
        assert about.title and about.citation and about.layout and about.where and about.classes and about.faults


SOURCES = "train.data.sources"


@pytest.mark.parametrize("name", [name for name in NAMED if hasattr(import_module(f"{SOURCES}.{name}"), "LABELS")])
def test_the_classes_are_those_of_its_codes(name):
    module = import_module(f"train.data.sources.{name}")
    assert set(module.SOURCE.classes) == set(module.LABELS.values())


def test_the_list_tells_all_of_it_at_100_columns(capsys):
    with pytest.raises(SystemExit) as stopped:
        prepare.main(["--list"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 100
    assert "never a diagnosis" in said
    words = " ".join(said.split())
    for name in NAMED:
        about = get_reader(name).source
        classes = "all eight" if len(about.classes) == 8 else ", ".join(about.classes)
        for part in (f"{name} - {about.title}", about.modality, classes, about.licence, about.where, *about.faults):
            assert part in words, part


def test_a_source_is_made_again_when_the_module_it_is_built_on_changes():
    stems = {name: {path.stem for path in inputs_fingerprint._modules(name)} for name in ("hiba", "bcn20000", "ddi")}
    assert stems == {
        "hiba": {"hiba", "isic_archive"},
        "bcn20000": {"bcn20000", "isic_archive", "isic2019"},
        "ddi": {"ddi"},
    }
