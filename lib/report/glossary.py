"""The words of the reports: what measures, kinds of training sets, verdicts and names mean."""

from pathlib import Path

from lib.report.names import METRICS, POOLS, SCORINGS
from lib.report.shell import write_page

PAGE = "glossary.html"

# The three earlier studies that are restated here.
EARLIER = {
    "S1": (
        "Schürmann, “The Synthetic Dilemma” (2024): do 7 to 15% Stable Diffusion faces beside "
        "28,821 real ones help a small network? Single runs; no significant change."
    ),
    "S2": (
        "COMP7055, group 2 (2025): can the images of StyleGAN2-ADA take the place of real ones? "
        "Trained on generated images alone, networks stayed far behind."
    ),
    "S3": (
        "An internship report (2024): a DCGAN trained on CelebA-HQ, meant to widen a set of "
        "expressions. Whether it helps a classifier was not measured."
    ),
}
STUDY_WORDS = {
    "pool": "The images of one generator, with what every step of curation said of each of them.",
    "training set (arm)": (
        "What a network is trained on: real images, synthetic ones, or both. Training sets of one "
        "study differ in their images and in nothing else."
    ),
    "all real images (base)": (
        "The training set without synthetic images, which all others are compared with."
    ),
    "added (supplement)": (
        "Synthetic images beside all real ones. 12% of the training images means that 12 of 100 "
        "images are synthetic."
    ),
    "in place of (replace)": "Synthetic images take the place of real ones; the total stays.",
    "beside few (scarce)": "A small part of the real images, filled up with synthetic ones.",
    "alone (synthetic)": "Synthetic images without any real one.",
    "rare classes filled up (balance)": (
        "Synthetic images bring every class to the size of the largest."
    ),
    "control": (
        "A training set that differs from another in one respect: real images repeated, labels "
        "shuffled, the remaining real images alone, as many more real images, or the real images "
        "alone for the steps that they have beside synthetic ones."
    ),
    "class-matched copies": (
        "Real images repeated until there are as many of each class as a pool adds: what is gained "
        "by more images, or by their class shares, without a new image."
    ),
    "mixed in": "Added to the real images, every image drawn equally often (the usual way).",
    "generated first, real last": (
        "A network is trained on the generated images, then goes on with the real ones alone."
    ),
    "batch norm of their own": (
        "Generated images pass through normalisation layers with statistics of their own, which "
        "the finished network does not use (auxiliary batch norm)."
    ),
    "the surest of each class (label filter)": (
        "Of each class the generated images are kept whose label looks most probable to a "
        "classifier of the same real images."
    ),
    "predicted labels": (
        "In place of the label that a generated image was asked for: the probabilities that a "
        "classifier of the same real images gives every class."
    ),
    "MixUp": "Training on pairs of images laid over each other, with both labels in proportion.",
    "squares cut out, turned and zoomed, every class as often": (
        "Ways to train on the real images alone: a square of each image is blanked; images are "
        "turned and enlarged a little; images of rare classes are drawn more often."
    ),
    "guidance": (
        "How strongly a diffusion model is pushed towards the class that is asked for: more gives "
        "clearer expressions and less variety. 1 is none."
    ),
    "seed": "The number that random choices of a training follow from; runs differ in it.",
    "draw": (
        "One choice of so many real images, with the seed of the training that goes with it and, "
        "for a pool made here, one training of the generator on them."
    ),
    "best length": (
        "The number of training steps at which a training set is best on the validation images: "
        "each set has its own. Comparisons are made so unless they say “at equal steps” (both sets "
        "take as many) or “at equal passes” (both see each real image as often)."
    ),
    "reading": (
        "The way in which the length of training is made equal between two training sets: best "
        "length, equal steps, or equal passes over the real images."
    ),
    "upper bound": (
        "A pool whose generator learnt from more real images than one has: what it brings, nobody "
        "with so few images could get."
    ),
    "worth of one image": (
        "The gain by generated images as a share of the gain by as many real ones: 0 for nothing, "
        "1 for a real image."
    ),
    "PrivateTest, PublicTest": (
        "The two held-back parts of FER2013: the test images, and the validation images."
    ),
    "run": "One training of one network on one training set with one seed.",
    "generation": "One making of a pool: the generator trained and sampled anew.",
    "reference classifier": (
        "A small network trained on real images alone. Its features measure all pools, and its "
        "predictions say whether an image shows the class of its label."
    ),
    "encoder": (
        "A network trained without labels to recognise two views of one image. It sees what a "
        "classifier learns to ignore, such as who is shown."
    ),
    "without copies (leak-free)": (
        "Scored without test images that have an exact or near copy among the training images."
    ),
    "FER+ labels": "The most frequent of ten annotators' votes, in place of FER2013's own label.",
    "curation": "Steps that reject images: blank, blurred, badly exposed, copies, no face found.",
}
DECISION_WORDS = {
    "point": "One hundredth of a share: from 56% to 57% is one point.",
    "margin": "The smallest difference that matters, in points, fixed before the runs.",
    "95% interval": (
        "The range in which the true value lies with 95% confidence, over other seeds and other "
        "test images."
    ),
    "deciding interval (adjusted)": (
        "The interval that belongs to a verdict. Where several comparisons are decided together, "
        "or after an interim analysis, it is wider than the 95% interval."
    ),
    "helps, hurts": "The deciding interval lies above 0, or below it.",
    "equivalent": "The difference is shown to lie within the margin on both sides of 0.",
    "undecided": "None of these: more seeds or test images would be needed.",
    "minimum detectable effect": (
        "The smallest true difference that the design finds in four of five studies."
    ),
    "p (Holm)": (
        "The p-value after Holm's adjustment over all pools, and all numbers of images, that "
        "answer the same question."
    ),
    "supported, contradicted": (
        "The verdict on a claim of an earlier study, by a rule fixed before the run."
    ),
}
MEASURE_WORDS = {
    "accuracy": "Share of test images whose class is named correctly.",
    "balanced_accuracy": "Mean of the classes' recalls: every class counts the same.",
    "f1_macro": "Mean over classes of the harmonic mean of precision and recall.",
    "f1": "Harmonic mean of a class's precision and recall.",
    "precision_macro": "Mean over classes of the share of predictions that are right.",
    "recall_macro": "Balanced accuracy under another name.",
    "auroc_macro": "Mean over classes of the AUROC.",
    "auroc": (
        "Chance that an image of a class gets a higher score for it than an image of another; 0.5 "
        "is chance."
    ),
    "kappa": "Agreement beyond what the class counts alone would give; 0 is chance.",
    "ece_15": "Mean gap between a network's confidence and its accuracy, over 15 bins (ECE).",
    "fd": (
        "Distance of two sets of images by mean and covariance of their features; lower is closer."
    ),
    "kd": "Distance of two sets by a kernel over their features; 0 where they do not differ.",
    "kd_class": "The same, of the images of one class.",
    "precision": "Share of synthetic images that lie among the real ones.",
    "recall": (
        "Of pools: share of real images that lie among the synthetic ones. Of classes: share of a "
        "class's images that are named correctly."
    ),
    "density": "How densely the real images surround the synthetic ones; 1 as for real images.",
    "coverage": "Share of real images that have a synthetic one nearby.",
    "vendi": "Effective number of different images in a set.",
    "label agreement": "Share of a pool whose label the reference classifier names.",
    "separation": "How far classes lie apart: the silhouette, −1 to 1.",
    "mixing": "1 where neighbourhoods hold real and synthetic images as chance would.",
    "two-sample test": (
        "Accuracy of a linear classifier that separates a pool from real images; one half is "
        "chance."
    ),
    "trustworthiness": "Share of neighbours on a map that are neighbours in feature space.",
    "Jensen–Shannon distance": "Distance of two maps, 0 to 1; two halves of one set do not give 0.",
}


def sections() -> list[dict]:
    """Lay the glossary out: anchor, text and terms of each part.

    A term has name, machine (name, or ""), meaning and anchor.
    """
    # Measures and names under the words that pages show.
    measures = {METRICS.get(name, name): (name, text) for name, text in MEASURE_WORDS.items()}
    named = POOLS | SCORINGS
    return [
        _section("studies", "The three earlier studies", EARLIER),
        _section("design", "Training sets, pools and runs", STUDY_WORDS),
        _section("decisions", "Differences and verdicts", DECISION_WORDS),
        {
            "anchor": "measures",
            "text": "Measures",
            "terms": [
                _term(name, text, machine if machine in METRICS else "")
                for name, (machine, text) in measures.items()
            ],
        },
        {
            "anchor": "names",
            "text": "Names of pools and of scorings",
            "terms": [_term(words, "", machine) for machine, words in named.items()],
        },
    ]


def render_glossary(reports: Path) -> Path:
    """Write reports/glossary.html, which every page links."""
    parts = sections()
    contents = [{"anchor": part["anchor"], "text": part["text"], "level": 2} for part in parts]
    return write_page(
        reports / PAGE,
        "glossary.html.j2",
        title="Glossary",
        description="What the words of the reports mean",
        glossary=PAGE,
        contents=contents,
        sections=parts,
    )


def earlier_studies() -> list[dict]:
    """List the three earlier studies: name and text."""
    return [{"name": name, "text": text} for name, text in EARLIER.items()]


def _section(anchor: str, text: str, words: dict[str, str]) -> dict:
    """Lay out a part whose terms have no machine names."""
    return {
        "anchor": anchor,
        "text": text,
        "terms": [_term(name, meaning) for name, meaning in words.items()],
    }


def _term(name: str, meaning: str, machine: str = "") -> dict:
    """Lay out one term; its anchor is made from its name, or the machine's where it has one."""
    anchor = "".join(letter if letter.isalnum() else "-" for letter in (machine or name).lower())
    return {"name": name, "meaning": meaning, "machine": machine, "anchor": f"term-{anchor}"}
