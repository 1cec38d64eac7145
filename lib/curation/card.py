"""The curated pool as other tools read it: an image folder with a data card.

The card states where the images come from, what was rejected and why, and which biases are known.
"""

from pathlib import Path

import pandas as pd

from lib.curation.bias import strongest_bias
from lib.curation.chain import Curation
from lib.curation.summary import class_shift, step_summary
from lib.faces.faceset import FaceSet
from lib.faces.pool import curated_images, save_verdicts
from lib.study.errors import StudyError
from lib.study.records import atomic_write

# Upper limits of Hugging Face's size categories, images.
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
LARGEST = "100K<n<1M"
VALUES_NAMED = 3  # of a column, that the sentence on the source names

# README.md of the image folder; the head is read by Hugging Face.
TEXT = """---
license: {license}
task_categories: [image-classification]
pretty_name: {name}
size_categories: [{size}]
---
# {name}

{curated} synthetic grey images, {px} x {px} pixels, {classes} classes; {rejected} of {generated}
generated images were rejected.

- **Source**: {source}
- **Classes**: {class_names}
- **Files**: `<class>/<id>.png` and `metadata.csv` (one row an image, `file_name` first). Loads with
  `datasets.load_dataset("imagefolder", data_dir=...)` and `torchvision.datasets.ImageFolder`.
- **Licence**: {license}. The generator's terms and those of its training images apply; fill this in
  before you share the set.

## What was rejected, and why

{steps}

## Class by class

`kept` is the share of a class that curation kept, with its 95% Wilson interval: where intervals do
not overlap, the filter favours a class.

{shift}

## Known biases

- Labels are what the generator was asked for; no person has confirmed them unless the table above
  shows a row `review`.
{detector}
- Synthetic images carry the biases of the generator's own training images; their distribution is
  not that of real ones.
"""

# Points of the section on biases.
CASCADE = """- The detector was trained on frontal faces: turned, tilted, occluded and strongly
  lit faces are rejected more often, and with them the expressions that come with such poses."""
NO_DETECTOR = "- No face detector examined these images, so its biases were not measured."
NO_BIAS = (
    "- In this pool the detector rejected no group more often than the 95% intervals allow by "
    "chance."
)


def export_pool(
    folder: Path,
    pool: FaceSet,
    curation: Curation,
    *,
    name: str,
    license: str = "unknown",
    biases: pd.DataFrame | None = None,
) -> Path:
    """Save the verdicts, and the images that stay as an image folder with its card.

    Args:
        folder: the pool's folder.
        pool: all generated images.
        curation: the outcome of the chain.
        name: what the set is called.
        license: identifier as Hugging Face writes it, or "unknown".
        biases: table of bias_table, of the detector; None: not measured.

    Returns:
        The image folder.

    Raises:
        StudyError: the pictures in the folder are not exactly those that stay.
    """
    # The verdicts and the pictures.
    save_verdicts(folder, curation.verdicts, curation.faces)
    images = curated_images(folder)

    # The card beside the pictures.
    name = f"{name}, curated"
    write_card(images, pool, curation, name=name, license=license, biases=biases)
    _check_export(images, pool, curation)
    return images


def write_card(
    folder: Path,
    pool: FaceSet,
    curation: Curation,
    *,
    name: str,
    license: str = "unknown",
    biases: pd.DataFrame | None = None,
) -> Path:
    """Write README.md beside a curated image folder.

    Args:
        folder: the image folder.
        pool, curation, name, license, biases: as in export_pool.

    Returns:
        The card's path.
    """
    # Everything that the card states is counted from the verdicts.
    kept = curation.faces
    shift = class_shift(pool, curation.verdicts)
    text = TEXT.format(
        # What and from where.
        license=license,
        name=name,
        source=source_of(pool),
        # How many, and of what size.
        curated=len(kept),
        generated=len(pool),
        rejected=len(pool) - len(kept),
        px=kept.images.shape[1],
        classes=len(pool.classes),
        class_names=", ".join(pool.classes),
        size=size_category(len(kept)),
        # What was rejected, and whom it concerns.
        steps=markdown_table(step_summary(pool, curation.verdicts)),
        shift=markdown_table(shift),
        detector=detector_biases(biases),
    )
    # Hugging Face shows a README.md as the set's page.
    path = Path(folder) / "README.md"
    with atomic_write(path, "w") as file:
        file.write(text)
    return path


def detector_biases(biases: pd.DataFrame | None) -> str:
    """List as points which groups the detector rejected more often in this pool.

    Args:
        biases: table of bias_table; None or empty where the detector examined nothing.
    """
    if biases is None or biases.empty:
        return NO_DETECTOR
    points = [CASCADE]
    # Only differences whose intervals do not overlap are named.
    for row in strongest_bias(biases).itertuples(index=False):
        points.append(
            f"- In this pool the detector rejected {row.highest_share:.1%} of {row.attribute} "
            f"{row.highest}, and {row.lowest_share:.1%} of {row.attribute} {row.lowest}."
        )
    if len(points) == 1:
        points.append(NO_BIAS)
    return "\n".join(points)


def source_of(pool: FaceSet) -> str:
    """Describe in a sentence what made the images of a pool, as far as its table records it."""
    table = pool.table
    names = []
    # The kinds of source first, then the generators; each name once.
    for column in ("source", "generator"):
        if column in table:
            names += [str(value) for value in table[column].dropna().unique()[:VALUES_NAMED]]
    sentence = f"made by {', '.join(dict.fromkeys(names))}"
    if "prompt" in table:
        sentence += f", {table['prompt'].nunique()} different prompts"
    return f"{sentence}; {len(pool)} images in order of generation"


def size_category(n: int) -> str:
    """Name the size category of a data set as Hugging Face's cards do."""
    for limit, name in SIZES:
        if n < limit:
            return name
    return LARGEST


def markdown_table(table: pd.DataFrame) -> str:
    """Write a table as Markdown, numbers that are not whole with three decimals."""
    # The head and its rule, then one line a row.
    rows = [list(table.columns), ["---"] * len(table.columns)]
    for values in table.itertuples(index=False):
        rows.append([f"{v:.3f}" if isinstance(v, float) else str(v) for v in values])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _check_export(images: Path, pool: FaceSet, curation: Curation) -> None:
    """Stop where the folder does not hold exactly the pictures that stay."""
    # Characters that a file's name cannot have were replaced, so kept ids are counted only.
    pictures = {file.stem for file in images.glob("*/*.png")}
    kept = set(curation.faces.table["id"])
    rejected = set(pool.table["id"]) - kept
    if len(pictures) != len(kept) or pictures & rejected:
        raise StudyError(
            f"{images} holds {len(pictures)} pictures, {len(pictures & rejected)} of them "
            f"rejected, but curation kept {len(kept)} images; delete the folder and run notebook "
            "30 again"
        )
