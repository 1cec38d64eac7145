"""Which images show the emotion that they were asked for, and how alike they are: by class, and by every attribute that is known of them.

Of generated faces the prompt is known (age, ethnicity, sex), of drawn ones how they were drawn. Whether an image shows its emotion says a
judge trained on real faces, or a person who does not see the label (`lib.metrics.spotcheck`).
"""

import numpy as np
import pandas as pd

from lib.curation.attributes import groups_of, standing_out, with_prompt_attributes
from lib.curation.intervals import wilson
from lib.faces.faceset import FaceSet
from lib.generators import prompts
from lib.metrics.distances import vendi

LEAST, MOST = 20, 200  # images of a value whose diversity is measured
COLUMNS = ["pool", "attribute", "value", "n", "shown", "low", "high", "vendi", "vendi_n"]


def faithfulness(pools: dict[str, FaceSet], said: dict[str, np.ndarray], features: dict[str, np.ndarray], *, seed: int) -> pd.DataFrame:
    """Measure by attribute which share of a pool's images shows its emotion, and how different the images are.

    Args:
        pools: face sets by name, `real` among them where real faces are to stand beside.
        said: class probabilities of the judge, float (N, 7), by name.
        features: float (N, D) of one space, by name.
        seed: of the images whose diversity is measured: equally many of each value in every pool, so that all can be compared.
    Returns:
        Columns pool, attribute, value, n, shown (share whose label the judge sees), low, high (95 % Wilson), vendi (effectively different
        images among vendi_n; missing where a value has under 20 images).
    """
    places = {
        (pool, attribute): {value: np.flatnonzero(groups == value) for value in groups.cat.categories}
        for pool, faces in pools.items()
        for attribute, groups in groups_of(faces.table).items()
    }
    rows = []
    for pool, faces in pools.items():
        seen = said[pool].argmax(1) == faces.labels
        for attribute in [attribute for owner, attribute in places if owner == pool]:
            everywhere = [len(own) for (_, name), found in places.items() if name == attribute for own in found.values()]
            size = min([MOST, *(n for n in everywhere if n >= LEAST)])
            for value, own in places[pool, attribute].items():
                drawn = np.random.default_rng(seed).permutation(own)[:size]
                different = vendi(features[pool][drawn]) if len(own) >= LEAST else np.nan
                rows.append((pool, attribute, value, len(own), *wilson(int(seen[own].sum()), len(own)), different, size))
    return pd.DataFrame(rows, columns=COLUMNS)


def worst_prompts(faces: FaceSet, said: np.ndarray, *, most: int = 10, least: int = 8) -> pd.DataFrame:
    """List the combinations of emotion, age, ethnicity and sex that show the emotion least often; without rows where no prompt is known.

    Args:
        most: combinations listed.
        least: images of a combination that counts: those of one prompt in S1.
    Returns:
        Columns class, age, ethnicity, sex, n, shown, low, high (95 % Wilson).
    """
    keys = ["class", *prompts.ATTRIBUTES]
    table = with_prompt_attributes(faces.table)
    if any(key not in table for key in keys):
        return pd.DataFrame(columns=[*keys, "n", "shown", "low", "high"])
    seen = table[keys].assign(seen=said.argmax(1) == faces.labels).groupby(keys)["seen"].agg(["sum", "count"]).reset_index()
    rows = [(*row[: len(keys)], row.count_, *wilson(int(row.hits), int(row.count_)))
            for row in seen.rename(columns={"sum": "hits", "count": "count_"}).itertuples(index=False) if row.count_ >= least]  # fmt: skip
    found = pd.DataFrame(rows, columns=[*keys, "n", "shown", "low", "high"])
    return found.sort_values("high", kind="stable", ignore_index=True).head(most)


def extremes(table: pd.DataFrame) -> pd.DataFrame:
    """Take the best and the worst value of each attribute in which a pool's values differ beyond doubt: columns name, shown, low, high."""
    rows = []
    for row in standing_out(table, "shown", ["pool", "attribute"]).itertuples():
        own = table[(table["pool"] == row.pool) & (table["attribute"] == row.attribute)]
        both = own[own["value"].isin([row.highest, row.lowest])].sort_values("shown", ascending=False)
        names = [f"{row.pool}, {row.attribute}: {value}" for value in both["value"]]
        rows.append(both.assign(name=names)[["name", "shown", "low", "high"]])
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["name", "shown", "low", "high"])
