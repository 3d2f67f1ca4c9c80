"""The catalogue of sources: complete, consistent with the layouts, and readable at 100 columns."""

import pytest

from train import prepare
from train.data import collection
from train.data.sources import NAMED, catalogue, get_reader, row_details
from train.publishing.licences import CONDITIONS


@pytest.mark.parametrize("name", NAMED)
def test_every_entry_is_complete_and_can_be_read(name):
    about = get_reader(name).source
    assert about.name == name
    assert about.modality in ("dermoscopy", "clinical", "dermoscopy and clinical")
    assert about.licence in {*CONDITIONS, "other"}
    assert about.title and about.citation and about.layout and about.where and about.classes and about.known_issues
    layouts = catalogue.layouts(name)
    assert bool(layouts) == (name != "drawn")
    for layout in layouts:
        assert bool(layout.tables) != bool(layout.images)
        assert not layout.details or callable(getattr(row_details, layout.details))
        assert set(layout.subtypes) <= set(layout.class_of_code)
        assert len(layout.class_of_code) == sum(map(len, layout.codes.values()))  # no code is in two classes
        assert layout.by_name or not layout.codes or set(layout.codes) == set(about.classes)


def test_the_list_has_all_of_it_at_100_columns(capsys):
    with pytest.raises(SystemExit) as stopped:
        prepare.main(["--list"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 100
    assert "never a diagnosis" in printed
    words = " ".join(printed.split())
    for name in NAMED:
        about = get_reader(name).source
        classes = "all eight" if len(about.classes) == 8 else ", ".join(about.classes)
        for part in (f"{name} - {about.title}", about.modality, classes, about.licence, about.where):
            assert part in words, part
        assert all(issue in words for issue in about.known_issues)


def test_a_changed_specification_makes_its_sources_again(monkeypatch):
    def digests() -> dict[str, str]:
        catalogue.layouts.cache_clear()
        collection._code_digest.cache_clear()
        return {name: collection._code_digest((name,)) for name in ("hiba", "bcn20000", "ddi", "drawn", "my_folder")}

    before = digests()
    changed = catalogue.entries() | {
        "isic_archive": {"read": catalogue.entries()["isic_archive"]["read"] | {"header": 1}}
    }
    monkeypatch.setattr(catalogue, "entries", lambda: changed)
    after = digests()
    monkeypatch.undo()
    assert {name for name in before if before[name] != after[name]} == {"hiba", "bcn20000"}  # read as isic_archive
    assert digests() == before
    assert before["drawn"] != before["my_folder"]  # the code of the drawing counts for drawn lesions alone
