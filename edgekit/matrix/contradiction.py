"""What is wrong with edgekit.toml although each of its values may be right: one against another."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from edgekit.matrix.cell import ALL, EMBEDDED, name_subject
from edgekit.matrix.config import Config, Limits, Model
from edgekit.matrix.mistake import KeyPath, Mistake, find_repeated, suggest
from edgekit.precision import INT8
from edgekit.registry import OWN_TARGETS, installed

_LONGEST_NAME = 100  # as of `name`: folders are called after it, the target and the precision
_ALIKE = 0.75  # of its letters: "openvno" is no third party's target


def find_contradictions(config: Config, folder: Path) -> Iterator[Mistake]:
    """Find what no schema can say.

    Args:
        config: whose values are each allowed.
        folder: of the file, where relative paths begin.
    """
    yield from _repetitions(config)
    impossible = list(_paths(config, folder))
    yield from impossible or _names(config, folder)
    yield from _targets_of_nobody(config)
    for number, model in enumerate(config.entries):
        yield from _int8_without_pictures(config, model, number)
    yield from _drops_without_pictures(config)


def _owners(config: Config) -> list[tuple[KeyPath, Config | Model]]:
    """The file and its models: what may have a key of the same name."""
    return [((), config), *((("models", number), model) for number, model in enumerate(config.entries))]


def _repetitions(config: Config) -> Iterator[Mistake]:
    for path, owner in _owners(config):
        for key in ("targets", "precisions", "resolutions"):
            yield from find_repeated((*path, key), getattr(owner, key) or ())


def _paths(config: Config, folder: Path) -> Iterator[Mistake]:
    """Find what no path can be: `~` of nobody, and more characters than the system takes."""
    for path, owner in _owners(config):
        for key in ("model", "labels", "images", "calibration", "evaluation", "output"):
            if text := getattr(owner, key, None):
                try:
                    (folder / Path(text).expanduser()).exists()
                except (OSError, RuntimeError) as error:
                    yield Mistake((*path, key), f"this can be no path: {getattr(error, 'strerror', None) or error}")


def _names(config: Config, folder: Path) -> Iterator[Mistake]:
    """Find names that no folder can have, or two models: they would write to the same. Not every file system tells case apart."""
    seen: dict[str, int] = {}
    models = config.entries
    for number, model in enumerate(models):
        for size in dict.fromkeys(model.resolutions or config.resolutions or (None,)):
            name = name_subject(model, size, folder)
            if len(name) > _LONGEST_NAME or not name.isprintable():
                yield Mistake(("models", number), "what its artifacts would be called is no name for a folder: give it a `name`")
                break
            first = seen.setdefault(name.casefold(), number)
            if first != number:
                message = f"its artifacts would be called {name}, as those of {models[first].model}: give one of the two a `name`"
                yield Mistake(("models", number), message)
                break


def _targets_of_nobody(config: Config) -> Iterator[Mistake]:
    for path, owner in _owners(config):
        for number, target in enumerate(owner.targets or ()):
            if _is_misspelt(target):
                yield Mistake((*path, "targets", number), f"there is no target {target}; {suggest(target, (*OWN_TARGETS, ALL))}")
    wanted = {target for model in config.entries for target in model.targets or config.targets}
    for table, names in (("options", config.options), ("goals", config.goals.targets)):
        for target in names:
            if _is_misspelt(target) if ALL in wanted else target not in wanted:
                valid = OWN_TARGETS if ALL in wanted else sorted(wanted)
                yield Mistake(
                    (table, target), f"nothing is converted to a target {target}; {suggest(target, valid)}", is_key=True
                )


def _is_misspelt(target: str) -> bool:
    """Nobody has it, and it is nearly one of edgekit's own. Others may be a plugin that is not installed here."""
    if target in (*OWN_TARGETS, ALL) or not get_close_matches(target.lower(), (*OWN_TARGETS, ALL), 1, _ALIKE):
        return False
    return target not in installed()


def _int8_without_pictures(config: Config, model: Model, number: int) -> Iterator[Mistake]:
    precisions = model.precisions or config.precisions
    if INT8 in precisions and not (model.calibration or config.calibration or model.model == EMBEDDED):
        owner: KeyPath = ("models", number) if model.precisions else ()
        message = f"int8 of {model.model} needs `calibration`: pictures like those the app will see, 100 or more"
        yield Mistake((*owner, "precisions", precisions.index(INT8)), message)


def _drops_without_pictures(config: Config) -> Iterator[Mistake]:
    """Find goals of accuracy for models whose accuracy is not counted."""
    goals: list[tuple[KeyPath, Limits, str]] = [(("goals",), config.goals, "")]
    goals += [(("goals", target), limits, target) for target, limits in config.goals.targets.items()]
    for path, limits, target in goals:
        if limits.max_top1_drop is None:
            continue
        for model in config.entries:
            targets = model.targets or config.targets
            if not (model.evaluation or config.evaluation) and (not target or target in targets or ALL in targets):
                message = f"the accuracy of {model.model} is not counted: it needs `evaluation`, labelled pictures"
                yield Mistake((*path, "max_top1_drop"), message)
