"""Table (a): our step against the plain loop of the same model."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.training_parts.alternating import Rates, alternate, middle, ratios
from tests.benchmarks.training_parts.figures import Figure, Table
from tests.benchmarks.training_parts.material import Material
from tests.benchmarks.training_parts.ours import Ours
from tests.benchmarks.training_parts.plain_loop import PlainLoop
from tests.benchmarks.training_parts.setting import Setting
from train.training.train_config import TrainConfig

FROZEN, PADDED, TRAINED = 2.8, 8.0, 1.8  # times as fast
HOW = (
    "Plain loop: the same model in float32 and NCHW, PIL transforms one picture after another in a DataLoader, each "
    "note through BERT at every step, torch's default optimizer kernels. Ours: the updates of train.fit, its text "
    "vectors made before the clock starts if the text is frozen (the time is told). Both decode each JPEG whenever it "
    "is needed."
)


def frozen(setting: Setting) -> Table:
    """Frozen text: short notes, notes as long as a language model's, and every note padded to the longest input."""
    config = setting.config(text_layers=0)
    short, long = setting.material, setting.material.longer()
    table = Table("Our step against a plain loop, frozen text", [], _remarks(setting))
    workers = _better_workers(setting, config, table)
    ours = Ours(setting.model(), short, config, setting.steps)
    contestants = {
        "ours": ours.run,
        "plain": _plain(setting, config, short, workers).run,
        "plain, longer notes": _plain(setting, config, long, workers).run,
    }
    rates = alternate(contestants, setting.repeats)
    padded = _padded(setting, config, workers, ours)
    table.figures += [_rate("ours, frozen text", rates["ours"], "whatever the notes")]
    for name in ("plain", "plain, longer notes"):
        table.figures += [_rate(name, rates[name]), _times(f"ours against {name}", rates, name, setting.aim(FROZEN))]
    name = f"plain, padded to {setting.pair.max_length}"
    table.figures += [
        _rate(name, padded["plain"]),
        _times(f"ours against {name}", padded, "plain", setting.aim(PADDED)),
    ]
    distinct = len(set(ours.material.texts))
    table.figures.append(Figure(f"text vectors of {distinct} distinct notes, made once", ours.note_seconds, "s"))
    return table


def trained(setting: Setting) -> Table:
    """Every layer of BERT learns."""
    config = setting.config(text_layers="all")
    table = Table("Our step against a plain loop, trained text", [], _remarks(setting))
    contestants = {
        "ours": Ours(setting.model(), setting.material, config, setting.steps).run,
        "plain": _plain(setting, config, setting.material, 0).run,
    }
    rates = alternate(contestants, setting.repeats)
    table.figures += [_rate("ours, trained text", rates["ours"]), _rate("plain", rates["plain"], "num_workers=0")]
    table.figures.append(_times("ours against plain", rates, "plain", setting.aim(TRAINED)))
    return table


def _remarks(setting: Setting) -> list[str]:
    return [*setting.told(), HOW]


def _plain(
    setting: Setting, config: TrainConfig, material: Material, workers: int, *, longest: bool = True
) -> PlainLoop:
    arguments = (setting.model(), material, config, setting.device, setting.steps)
    return PlainLoop(*arguments, workers=workers, pad_to_longest=longest)


def _better_workers(setting: Setting, config: TrainConfig, table: Table) -> int:
    """Which number of DataLoader workers serves the plain loop better; it keeps that one."""
    loops = {
        f"num_workers={workers}": _plain(setting, config, setting.material, workers)
        for workers in dict.fromkeys((0, setting.peer_workers))
    }
    rates = {name: middle(each)[0] for name, each in alternate({n: x.run for n, x in loops.items()}, 1).items()}
    best = max(rates, key=rates.__getitem__)
    told = ", ".join(f"{name} {rate:.3g} pictures/s" for name, rate in rates.items())
    table.remarks.append(f"The plain loop goes on with {best} (tried: {told}).")
    return int(best.split("=")[1])


def _padded(setting: Setting, config: TrainConfig, workers: int, ours: Ours) -> Rates:
    """One round fewer and a step a block: it is slow, and the target far."""
    brief = replace(setting, steps=max(1, setting.steps // 2))
    loop = _plain(brief, config, setting.material, workers, longest=False)
    return alternate({"ours": ours.run, "plain": loop.run}, max(1, setting.repeats - 1))


def _rate(name: str, rates: list[float], remark: str = "") -> Figure:
    value, spread = middle(rates)
    return Figure(name, value, "pictures/s", spread, remark=remark)


def _times(name: str, rates: Rates, other: str, target: float | None) -> Figure:
    value, spread = middle(ratios(rates, "ours", other))
    return Figure(name, value, "times", spread, target)
