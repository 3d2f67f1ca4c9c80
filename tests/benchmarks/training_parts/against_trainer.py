"""Table (b): our step against transformers' Trainer around its dual encoder."""

from __future__ import annotations

from tests.benchmarks.training_parts.alternating import alternate, middle, ratios
from tests.benchmarks.training_parts.figures import Figure, Table
from tests.benchmarks.training_parts.ours import Ours
from tests.benchmarks.training_parts.setting import Setting

HOW = (
    "transformers: VisionTextDualEncoderModel in Trainer, as the library has it, contrastive loss; same encoders, "
    "precision, decoded squares, augmentation and tokens, all layers learn on both sides."
)


def against_trainer(setting: Setting) -> Table:
    """Trained text on both sides."""
    from tests.benchmarks.training_parts.dual_encoder import DualEncoderTrainer

    config = setting.config(text_layers="all")
    theirs = DualEncoderTrainer(setting.model(), setting.material, config, setting.device, setting.steps)
    ours = Ours(setting.model(), setting.material, config, setting.steps)
    rates = alternate({"ours": ours.run, "theirs": theirs.run}, setting.repeats)
    table = Table("Our step against transformers' VisionTextDualEncoderModel in Trainer", [], [*setting.told(), HOW])
    for name, title in (("ours", "ours"), ("theirs", "transformers")):
        value, spread = middle(rates[name])
        table.figures.append(Figure(title, value, "pictures/s", spread))
    value, spread = middle(ratios(rates, "ours", "theirs"))
    table.figures.append(Figure("ours against transformers", value, "times", spread, 1.0))
    return table
