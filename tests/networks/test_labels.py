"""Labels of ligands: one each, unique, and existing ones are kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.networks.labels import label_ligands

KEYS = st.text("abcdef0123456789", min_size=1, max_size=20).map(lambda token: f"SmallMoleculeComponent-{token}")
NAMES = st.none() | st.sampled_from(["a", "b", "a (0)", "SmallMoleculeComponent-0"])


@given(st.dictionaries(KEYS, NAMES, max_size=8), st.dictionaries(KEYS, st.text(), max_size=4))
def test_labels_are_unique_and_keep_what_stands(names, taken):
    unique = {label: key for key, label in taken.items()}
    taken = {key: label for label, key in unique.items()}

    labels = label_ligands(names, taken)

    assert labels.keys() == names.keys()
    assert len(set(labels.values())) == len(labels)
    assert all(labels[key] == taken[key] for key in labels.keys() & taken.keys())


@given(st.dictionaries(KEYS, NAMES, max_size=8))
def test_labels_do_not_follow_the_order_given(names):
    assert label_ligands(names) == label_ligands(dict(reversed(names.items())))


def test_a_unique_name_is_the_label_and_a_shared_one_is_extended_by_the_key():
    labels = label_ligands({"C-0123456789": "x", "C-abcdef0123": "x", "C-ffffff": "y", "C-eeeeee": None})

    assert labels == {
        "C-0123456789": "x (012345)",
        "C-abcdef0123": "x (abcdef)",
        "C-ffffff": "y",
        "C-eeeeee": "C-eeeeee",
    }


def test_a_newcomer_gives_way_to_the_label_that_stands():
    labels = label_ligands({"C-0123456789": "x", "C-abcdef0123": "x"}, {"C-abcdef0123": "x", "C-gone": "z"})

    assert labels == {"C-abcdef0123": "x", "C-0123456789": "x (012345)"}


def test_a_ligand_is_not_called_what_stands_for_no_ligand():
    assert label_ligands({"C-0123456789": "(none)", "C-abcdef0123": "(none) in water"}) == {
        "C-0123456789": "C-0123456789",
        "C-abcdef0123": "C-abcdef0123",
    }
