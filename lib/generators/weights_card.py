"""The card of a weights file, as Hugging Face reads model cards: what it is, and what it is not.

Everything that the card states is in the file's header, or was measured and is passed in.
"""

from pathlib import Path

from lib.generators.contract import Generator
from lib.study.errors import StudyError
from lib.study.records import atomic_write, file_digest

# The head is read by Hugging Face.
TEXT = """---
license: {licence}
library_name: safetensors
pipeline_tag: unconditional-image-generation
tags: [image-generation, faces, facial-expression, {generator}]
---
# {name}

A {generator} generator of grey images of faces, {px} x {px} pixels, conditional on {n_classes}
classes: {classes}.

- **File**: `{file}`, {size:.1f} MB, {parameters:,} weights that draw (float16), sha256 `{digest}`.
- **Learnt from**: {learnt_from}.
- **Training**: {steps:,} steps of {batch} images ({images:,} images), seed {seed}.
- **Licence**: {licence}. The terms of the training images apply; fill this in before you share it.

## How to use it

```
python -m lib.generators sample --weights {file} --class {example} --count 100 --out folder
```

An image depends on its class and its seed alone. Settings of sampling (`--set KEY=VALUE`):
{sampling}.

## Measured

{measures}

## What it is not for

- The labels of the images are what the generator was asked for; no person has confirmed them.
- It has learnt the shares, the errors and the biases of its training images and of their labels.
- A generator of faces can show a face that it was trained on. Compare what you publish with the
  training images (the curation step `memorised`), and treat a match as a photograph of a person.
- It is made to study whether such images help a classifier; it is no tool to judge how people feel.
"""
NOT_MEASURED = "Nothing was measured when this file was written."


def write_card(
    generator: Generator,
    path: Path,
    *,
    licence: str = "unknown",
    measures: tuple[str, ...] = (),
) -> Path:
    """Write the card of a weights file beside it, under its name with the ending .md.

    Args:
        generator: what the file holds.
        path: the weights file.
        licence: identifier as Hugging Face writes it, or "unknown".
        measures: sentences, each with its n.

    Raises:
        StudyError: there is no weights file.
    """
    path = Path(path)
    if not path.exists():
        raise StudyError(f"{path}: no such weights file; a card describes one that is there")
    facts, network = generator.facts(), generator.network
    training = facts["training"]
    sampling = {name: facts["settings"][name] for name in network.sampling_settings}
    weights = network.drawing_weights().values()

    # Fill the card in.
    text = TEXT.format(
        licence=licence,
        generator=facts["generator"],
        name=path.stem,
        px=facts["px"],
        n_classes=len(facts["classes"]),
        classes=", ".join(facts["classes"]),
        # The file.
        file=path.name,
        size=path.stat().st_size / 2**20,
        parameters=sum(tensor.numel() for tensor in weights),
        digest=file_digest(path),
        # The training.
        learnt_from=learnt_from_sentence(generator),
        steps=training["steps"],
        batch=training["batch"],
        images=training["steps"] * training["batch"],
        seed=training["seed"],
        # What can be chosen, and what is known.
        example=facts["classes"][0],
        sampling=", ".join(f"`{name}={value}`" for name, value in sampling.items()) or "none",
        measures="\n".join(f"- {sentence}" for sentence in measures) or NOT_MEASURED,
    )
    card = path.with_suffix(".md")
    with atomic_write(card, "w") as file:
        file.write(text)
    return card


def learnt_from_sentence(generator: Generator) -> str:
    """Describe the training images: how many, of which classes, and their digest."""
    learnt_from = generator.learnt_from
    counts = zip(generator.classes, learnt_from.class_counts)
    by_class = ", ".join(f"{count:,} {name}" for name, count in counts)
    digest = learnt_from.digest[:16]
    return f"{learnt_from.images:,} real images ({by_class}), digest `{digest}`"
