"""What the columns of tables are called on pages, and in which unit their numbers stand there.

Tables on disk keep machine names and shares from 0 to 1. Pages show shares in percent, differences
of shares in points, p-values down to 0.001, each column with as many decimals throughout.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """How a column is shown."""

    label: str
    kind: str = "number"  # one of KINDS
    digits: int | None = None  # decimals; None: those of the kind, or what the table asks for


# share: 0 to 1, shown in percent. points: a difference of shares. p: a p-value. number: as it is.
# count: whole. name: of a pool, arm, metric or feature space, shown in words. scoring: which test
# images and labels count. verdict. text.
KINDS = ("share", "points", "p", "number", "count", "name", "scoring", "verdict", "text")
UNITS = {"share": "%", "points": "points"}
SMALLEST_P = 0.001

COLUMNS = {
    # What a row is about.
    "arm": Column("training images", "name"),
    "our_arm": Column("this study's training images", "name"),
    "reference": Column("compared with", "name"),
    "against": Column("compared with", "name"),
    "model": Column("trained on", "name"),
    "pool": Column("pool", "name"),
    "source": Column("source", "name"),
    "split": Column("split", "name"),
    "best pool": Column("best pool", "name"),
    "set": Column("images", "name"),
    "space": Column("feature space", "name"),
    "metric": Column("measure", "name"),
    "scoring": Column("test images", "scoring"),
    "map": Column("map", "name"),
    "step": Column("step", "name"),
    "attribute": Column("attribute", "name"),
    "method": Column("method", "name"),
    "classifier": Column("network", "text"),
    "our_classifier": Column("this study's network", "text"),
    "role": Column("compared with", "text"),
    "verdict": Column("verdict", "verdict"),
    "expected": Column("true effect", "verdict"),
    # How many.
    "n": Column("images", "count"),
    "n_images": Column("test images", "count"),
    "n_clusters": Column("different test images", "count"),
    "n_seeds": Column("seeds", "count"),
    "n_pools": Column("pools", "count"),
    "n_settings": Column("kinds of training set", "count"),
    "setting": Column("training images, network", "text"),
    "family": Column("family of pools", "name"),
    "n_uncovered": Column("uncovered images", "count"),
    "n_real": Column("real images", "count"),
    "vendi_n": Column("images of the Vendi score", "count"),
    "next": Column("images of the next round", "count"),
    "position": Column("place in the pool", "count"),
    "kilobytes": Column("kilobytes", "count"),
    # Scores of classifiers.
    "accuracy": Column("accuracy", "share"),
    "balanced_accuracy": Column("balanced accuracy", "share"),
    "f1_macro": Column("macro F1", "share"),
    "precision_macro": Column("macro precision", "share"),
    "recall_macro": Column("macro recall", "share"),
    "recall": Column("recall"),
    "auroc_macro": Column("AUROC"),
    "kappa": Column("Cohen's kappa"),
    "ece_15": Column("calibration error", "share"),
    "loss": Column("training loss"),
    "val mean": Column("validation, mean", "share"),
    "val min": Column("validation, least", "share"),
    "val max": Column("validation, most", "share"),
    "test mean": Column("test, mean", "share"),
    "test min": Column("test, least", "share"),
    "test max": Column("test, most", "share"),
    "accuracy_train": Column("training batches", "share"),
    "accuracy_val": Column("validation", "share"),
    "accuracy_test": Column("test", "share"),
    "fitted": Column("training above validation"),
    "length": Column("length"),
    "lengths": Column("lengths tried", "count"),
    "edge": Column("place among them", "text"),
    "error": Column("error of the reference classifier", "share"),
    # Differences.
    "difference": Column("difference", "points"),
    "change": Column("change", "points"),
    "lowest": Column("lowest generation", "points"),
    "highest": Column("highest generation", "points"),
    "lost": Column("lost", "points"),
    "regained": Column("regained", "points"),
    "extra": Column("lost more on uncovered images", "points"),
    "drop_covered": Column("lost on covered images", "points"),
    "drop_uncovered": Column("lost on uncovered images", "points"),
    "minimum_detectable_effect": Column("minimum detectable effect", "points", 1),
    "p": Column("p", "p"),
    "p_holm": Column("p (Holm)", "p"),
    "p (Holm)": Column("p (Holm)", "p"),
    "p_least": Column("least possible p", "p"),
    "lowest_p": Column("lowest p", "p"),
    "median_p": Column("median p", "p"),
    "called_different": Column("pairs called different", "share"),
    # Pools beside real images.
    "agreement": Column("label agreement", "share"),
    "agreement_on_real": Column("of real images", "share"),
    "lowest_agreement": Column("agreement of that class", "share"),
    "lowest_class": Column("least agreeing class", "text"),
    "renamed": Column("better order of names", "text"),
    "fd": Column("Fréchet distance"),
    "kd": Column("kernel distance"),
    "kd_class": Column("kernel distance by class"),
    "vendi": Column("Vendi score", digits=1),
    "labels": Column("same label as neighbours", "share"),
    "memorised": Column("near-copies of training images", "share"),
    "median_ratio": Column("median distance ratio"),
    "auroc": Column("AUROC"),
    "auroc_harmonised": Column("AUROC, all matched"),
    "accuracy_light": Column("light matched", "share"),
    "accuracy_sharpness": Column("and sharpness", "share"),
    "accuracy_crop": Column("and crop", "share"),
    "se": Column("standard error", "share"),
    "uncovered": Column("uncovered", "share"),
    "shown": Column("shows its class", "share"),
    "recognised": Column("recognised", "share"),
    "unclear": Column("cannot tell", "share"),
    "consistency": Column("label agreement", "share"),
    "kept": Column("kept", "share"),
    "before": Column("share before", "share"),
    "after": Column("share after", "share"),
    "share": Column("share", "share"),
    "wrong_share": Column("wrong labels", "share"),
    "trustworthiness": Column("trustworthiness", "share"),
    "alike": Column("two seeds agree", "share"),
    "js": Column("Jensen–Shannon distance"),
    "js_real": Column("halves of the real images, mean"),
    "js_real_high": Column("97.5% quantile"),
    "js_s2": Column("as S2 computed it"),
    "js_s2_real": Column("S2's, halves of the real images"),
    "js_s2_most": Column("S2's largest value"),
    "rho": Column("rank correlation", digits=2),
    "break_even": Column("breaks even at", digits=2),
    "slope": Column("gain from worst to best", "points"),
    "gain": Column("gain", "points"),
    "foretold": Column("foretold gain", "points"),
    "rate": Column("real images replaced", digits=2),
    # Numbers of real images.
    "real images": Column("real images", "count"),
    "added": Column("added", "count"),
    "help shown up to": Column("help shown up to", "count"),
    "ends at": Column("ends at", "count"),
    "accuracy alone, %": Column("accuracy alone, %", digits=1),
    # The classifier in use.
    "median_ms": Column("median, ms", digits=2),
    "p95_ms": Column("95th percentile, ms", digits=2),
    "p99_ms": Column("99th percentile, ms", digits=2),
    "milliseconds": Column("milliseconds", digits=2),
    "flips_per_100": Column("changes of class in 100 frames", digits=1),
    "same_class": Column("same class", "share"),
    "largest_difference": Column("largest difference"),
}
# low and high of a column that is not the number before them.
INTERVALS = {
    "bootstrap_low": ("bootstrap_high", "bootstrap interval"),
    "null_low": ("null_high", "other real images"),
}
# low and high of a named column.
INTERVALS_OF = {
    "change_low": ("change_high", "change"),
    "regained_low": ("regained_high", "regained"),
    "ece_low": ("ece_high", "ece_15"),
}


def column(name: str) -> Column:
    """Say how a column is shown; one that nobody described keeps its name, without underscores."""
    return COLUMNS.get(name) or Column(name.replace("_", " "), "")


def heading(name: str, kind: str = "") -> str:
    """Write the head of a column: its label, and its unit where its numbers have one.

    Args:
        name: of the column.
        kind: in place of the column's own.
    """
    described = column(name)
    unit = UNITS.get(kind or described.kind, "")
    return f"{described.label}, {unit}" if unit else described.label
