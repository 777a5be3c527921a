"""Facts of the whole run: what leads on the first screen, data in words, addresses."""

from __future__ import annotations

from dlcv04.harness.report import model
from dlcv04.harness.store.schema import DataRecord
from tests.harness.report.sample import changed, sample_run


def test_a_dirty_commit_is_flagged() -> None:
    fact = next(f for f in model.build(sample_run()).facts if f.label == "Commit")
    assert fact.warn and "uncommitted changes" in fact.text


def _data(name: str, kind: str, provenance: str, fingerprint: str) -> DataRecord:
    return DataRecord(
        name=name, kind=kind, provenance=provenance, fingerprint=fingerprint, train_images=10, val_images=5
    )


def test_data_are_named_in_words_once_and_without_the_folders_of_a_machine() -> None:
    data = [
        _data("mnist", "real", "real MNIST, 60,000 + 10,000 images, from /home/me/my data/mnist.npz", "a"),
        _data("shop", "own", "shop, 510 + 177 images, from /home/me/shop, 3 exact copies left out", "b"),
        _data("shop, pooled block4_conv3 of vgg16", "own", "shop, from /home/me/shop", "c"),
        _data("shop", "own", "shop, 510 + 177 images, from /home/me/shop, 3 exact copies left out", "b"),
        _data("terrassa", "embedded", "embedded stand-in: drawings", "d"),
    ]
    facts = model.build(changed(sample_run(), data=data)).facts
    found = {fact.label: fact.text for fact in facts}
    assert found["Data"] == "real data: mnist; own data: shop; embedded stand-ins: terrassa"
    assert found["Data: mnist"] == "real MNIST, 60,000 + 10,000 images, from mnist.npz, a"
    assert found["Data: shop"] == "own, shop, 510 + 177 images, from shop, 3 exact copies left out, b"
    assert found["Data: terrassa"] == "embedded stand-in: drawings, d"
    assert len([fact for fact in facts if fact.label.startswith("Data: ")]) == 4
    assert "Data: mnist" not in {fact.label for fact in facts if fact.leads}


def test_only_https_addresses_become_links() -> None:
    good = model.build(changed(sample_run(), links={"commit": "https://x.test/c/1", "job": "https://x.test/j/2"})).facts
    assert {fact.label: fact.link for fact in good if fact.link} == {
        "Commit": "https://x.test/c/1",
        "Job": "https://x.test/j/2",
    }
    bad = model.build(changed(sample_run(), links={"commit": "javascript:alert(1)", "job": "http://x.test"})).facts
    assert not [fact for fact in bad if fact.link or fact.label == "Job"]
