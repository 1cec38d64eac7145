"""The data card that travels with a curated pool: where the images come from, what was rejected and why, what is known to be wrong."""

from pathlib import Path

import pandas as pd

from lib.curation.bias import strongest_bias
from lib.curation.summary import class_shift, step_summary
from lib.faces.faceset import FaceSet
from lib.study.records import atomic_write

TEXT = """---
license: {license}
task_categories: [image-classification]
pretty_name: {name}
size_categories: [{size}]
---
# {name}

{curated} synthetic grey face images, {px} x {px} pixels, 7 expression classes; {rejected} of {generated} generated images were rejected.

- **Source**: {source}
- **Files**: `<class>/<id>.png` and `metadata.csv` (one row an image, `file_name` first). Loads with
  `datasets.load_dataset("imagefolder", data_dir=...)` and `torchvision.datasets.ImageFolder`.
- **Licence**: {license}. The generator's terms and those of its training images apply; fill this in before you share the set.

## What was rejected, and why

{steps}

## Class by class

`kept` is the share of a class that curation kept, with its 95 % Wilson interval: where intervals do not overlap, the filter favours a
class.

{classes}

## Known biases

- Labels are what the generator was asked for; no person has confirmed them unless the table above shows a row `review`.
- The Haar cascade was trained on frontal faces: turned, tilted, occluded and strongly lit faces are rejected more often, and with them
  the expressions that come with such poses.
{measured}
- Synthetic faces carry the biases of the generator's own training images; the images do not show the real distribution of people.
"""


def write_card(folder: Path, pool: FaceSet, curated: FaceSet, verdicts: pd.DataFrame, *, name: str, source: str, license: str = "unknown",
               biases: pd.DataFrame | None = None) -> Path:  # fmt: skip
    """Write README.md beside a curated image folder.

    Args:
        folder: the image folder.
        pool: all generated images.
        curated: those that stay.
        verdicts: long table of verdicts.
        name: what the set is called.
        source: generator and settings in a sentence.
        license: identifier as Hugging Face writes it, or "unknown".
        biases: table of bias_table for the detector; None where none was measured.

    Returns:
        The path of the card.
    """
    shift = class_shift(pool, verdicts)[["class", "n", "before", "after", "kept", "low", "high"]]
    text = TEXT.format(
        license=license, name=name, source=source, curated=len(curated), generated=len(pool), rejected=len(pool) - len(curated),
        px=curated.images.shape[1], size=size_category(len(curated)), steps=markdown_table(step_summary(pool, verdicts)),
        classes=markdown_table(shift),
        measured=measured_biases(biases),
    )  # fmt: skip
    path = Path(folder) / "README.md"
    with atomic_write(path, "w") as file:
        file.write(text)
    return path


def measured_biases(biases: pd.DataFrame | None) -> str:
    """Say as points whom the detector rejected more often in this pool, where the intervals bear it out."""
    if biases is None or biases.empty:
        return "- The detector was not in the chain, so nothing was measured about it."
    rows = strongest_bias(biases)
    lines = [f"- In this pool the detector rejected {row.highest_share:.1%} of {row.attribute} {row.highest}, and "
             f"{row.lowest_share:.1%} of {row.attribute} {row.lowest}."
             for row in rows.itertuples(index=False)]  # fmt: skip
    return "\n".join(lines) or "- In this pool the detector rejected no group more often than the 95 % intervals allow by chance."


def source_of(pool: FaceSet) -> str:
    """Say in a sentence what made the images of a pool, as far as its table tells."""
    names = [str(value) for column in ("source", "generator") if column in pool.table for value in pool.table[column].dropna().unique()[:3]]
    prompts = f", {pool.table['prompt'].nunique()} different prompts" if "prompt" in pool.table else ""
    return f"made by {', '.join(dict.fromkeys(names))}{prompts}; {len(pool)} images in order of generation"


def size_category(n: int) -> str:
    """Name the size class of a data set as Hugging Face's cards do."""
    for limit, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")):
        if n < limit:
            return name
    return "100K<n<1M"


def markdown_table(table: pd.DataFrame) -> str:
    """Write a table as Markdown, shares with three decimals."""
    cells = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row] for row in table.itertuples(index=False)]
    lines = [list(table.columns), ["---"] * len(table.columns), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
