"""Which images show the class that they were asked for, and how different they are.

Both are measured by class, and by every attribute that is known of the images: of generated faces
the prompt (age, ethnicity, sex), of drawn ones how they were drawn. Whether an image shows its
class is decided by a classifier trained on real faces, or by a person who does not see the label
(lib.curation.spotcheck).
"""

import numpy as np
import pandas as pd

from lib.curation.attributes import groups_of, standing_out, with_prompt_attributes
from lib.curation.intervals import wilson
from lib.faces import prompts
from lib.faces.faceset import FaceSet
from lib.metrics.distances import vendi
from lib.report.names import in_words

MIN_IMAGES = 20  # of a value, from which its diversity is measured
MAX_IMAGES = 200  # of a value, whose diversity is measured
COLUMNS = ["pool", "attribute", "value", "n", "shown", "low", "high", "vendi", "vendi_n"]
PROMPT_KEYS = ["class", *prompts.ATTRIBUTES]
SHARE_COLUMNS = ["n", "shown", "low", "high"]


def faithfulness(
    pools: dict[str, FaceSet],
    probabilities: dict[str, np.ndarray],
    features: dict[str, np.ndarray],
    *,
    seed: int,
) -> pd.DataFrame:
    """Measure by attribute how many of a pool's images show their class, and how they differ.

    Args:
        pools: face sets by name, `real` among them where real faces are to stand beside.
        probabilities: class probabilities of a classifier trained on real faces, float (N, C), by
            name.
        features: float (N, D) of one space, by name.
        seed: of the images whose diversity is measured: equally many of each value in every pool,
            so that all can be compared.

    Returns:
        Columns pool, attribute, value, n, shown (share whose label the classifier predicts), low,
        high (95% Wilson), vendi (effectively different images among vendi_n; missing where a value
        has fewer than MIN_IMAGES).
    """
    # Rows of each pool's images by attribute and value.
    rows_of = {}
    for pool, faces in pools.items():
        for attribute, groups in groups_of(faces.table).items():
            by_value = {name: np.flatnonzero(groups == name) for name in groups.cat.categories}
            rows_of[pool, attribute] = by_value

    # Measure every value of every attribute.
    records = []
    for (pool, attribute), by_value in rows_of.items():
        size = _common_size(rows_of, attribute)

        # An image shows its class where the classifier predicts its label.
        correct = probabilities[pool].argmax(1) == pools[pool].labels
        for value, rows in by_value.items():
            share = wilson(int(correct[rows].sum()), len(rows))

            # The Vendi score grows with the number of images: equally many of each value.
            drawn = np.random.default_rng(seed).permutation(rows)[:size]
            different = vendi(features[pool][drawn]) if len(rows) >= MIN_IMAGES else np.nan
            records.append((pool, attribute, value, len(rows), *share, different, size))
    return pd.DataFrame(records, columns=COLUMNS)


def worst_prompts(
    faces: FaceSet, probabilities: np.ndarray, *, most: int = 10, least: int = 8
) -> pd.DataFrame:
    """List the combinations of class, age, ethnicity and sex that show the class least often.

    Args:
        faces: of one pool.
        probabilities: float (N, C), of a classifier trained on real faces.
        most: combinations listed.
        least: images of a combination that counts: those of one prompt in S1.

    Returns:
        Columns class, age, ethnicity, sex, n, shown, low, high (95% Wilson); without rows where no
        prompt is known.
    """
    # Drawn faces and those of other generators have no prompt.
    table = with_prompt_attributes(faces.table)
    columns = [*PROMPT_KEYS, *SHARE_COLUMNS]
    if any(key not in table for key in PROMPT_KEYS):
        return pd.DataFrame(columns=columns)

    # Count each combination's images, and those that show their class.
    correct = table[PROMPT_KEYS].assign(correct=probabilities.argmax(1) == faces.labels)
    records = []
    for keys, group in correct.groupby(PROMPT_KEYS)["correct"]:
        if len(group) >= least:
            records.append((*keys, len(group), *wilson(int(group.sum()), len(group))))

    # The upper bound orders: a combination is bad where even that is low.
    shares = pd.DataFrame(records, columns=columns)
    return shares.sort_values("high", kind="stable", ignore_index=True).head(most)


def extremes(table: pd.DataFrame) -> pd.DataFrame:
    """Take the best and the worst value of each attribute in which a pool's values surely differ.

    Args:
        table: of `faithfulness`.

    Returns:
        Columns name (of the value), pool, group (the attribute), shown, low, high; two rows a pool
        and attribute, the better first.
    """
    columns = ["name", "pool", "group", "shown", "low", "high"]
    parts = []
    for row in standing_out(table, "shown", ["pool", "attribute"]).itertuples():
        # The two values of this pool and attribute that differ most.
        same = (table["pool"] == row.pool) & (table["attribute"] == row.attribute)
        pair = table[same & table["value"].isin([row.highest, row.lowest])]
        pair = pair.sort_values("shown", ascending=False)
        names = [f"{in_words(row.pool)}: {value}" for value in pair["value"]]
        parts.append(pair.assign(name=names, group=in_words(row.attribute))[columns])
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)


def _common_size(rows_of: dict, attribute: str) -> int:
    """Find how many images of each value of an attribute can be compared in every pool."""
    # The smallest value that is measured at all limits the others.
    sizes = [MAX_IMAGES]
    for (_, name), by_value in rows_of.items():
        if name == attribute:
            sizes += [len(rows) for rows in by_value.values() if len(rows) >= MIN_IMAGES]
    return min(sizes)
