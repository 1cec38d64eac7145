"""Class lists, and names of classes and splits as other people write them.

A number is never taken for a class without saying whose number it is.
"""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from lib.study.errors import StudyError, shortened
from lib.study.names import can_be_class

LONGEST_SHOWN = 40  # characters of a name or value in a message

# FER2013's seven classes, alphabetical: the default of a face set, not the law.
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
# FER+ (Barsoum et al. 2016) and AffectNet (Mollahosseini et al. 2017) know one more.
EIGHT_EMOTIONS = tuple(sorted((*EMOTIONS, "contempt")))

# FER2013's own codes, by position (Goodfellow et al. 2013); the CSV and its copies use them.
FER2013_CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# Other words for the emotions, as data sets name their folders.
ALIASES = {
    "anger": "angry",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "disgusting": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "frightened": "fear",
    "scared": "fear",
    "happiness": "happy",
    "joy": "happy",
    "calm": "neutral",
    "neutrality": "neutral",
    "sadness": "sad",
    "surprised": "surprise",
}
# Splits, as folders, files and Usage values name them; PublicTest is what one chooses on.
SPLITS = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "eval": "test",  # as Hugging Face reads it
    "evaluation": "test",
    "privatetest": "test",
    "publictest": "val",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validating": "val",
    "validation": "val",
    "dev": "val",
    "development": "val",
}
# Words that people put before or after a split: test_set, images_train, TrainingData, train2017.
BESIDE_SPLITS = "dataset|data|set|images|image|imgs|img|pictures|faces|split|folder|subset|[0-9]+"


def classes_of(
    names: Mapping[str, str],
    wanted: Sequence[str] = (),
    *,
    declared: Iterable[str] = (),
    complete: bool = True,
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Decide which classes a source of images has, from the class names in it.

    1. `wanted` is given: exactly these are the classes. A name stands for a wanted class that it
       equals but for case, or whose alias it is ("joy" where "happy" is wanted). Other names stand
       for none: their images are left out.
    2. All names are emotions, of the seven or contempt, aliases included: the classes are the
       emotions that occur, and those that the source declares.
    3. No name is an emotion: the names themselves are the classes, as they are written.
    4. Some names are emotions and some are not: an error, for one of them may be misspelt.

    Args:
        names: class names as written, and where each stands (for messages).
        wanted: the parameter `classes`; none lets the source decide.
        declared: names that the source states to hold, with images or without (FER2013's seven).
        complete: False lets a wanted class have no name (another data set, a pool).

    Returns:
        The classes, alphabetical, and the class of each name; names left out are not in it.

    Raises:
        StudyError: fewer than 2 classes, two that differ in case alone, a wanted class that no
            name stands for, or rule 4.
    """
    # Rule 1: what is asked for.
    if wanted:
        return _wanted_classes(names, wanted, complete)

    # Which names are emotions?
    emotions = {name: known_class(name) for name in names}
    unknown = sorted(name for name, emotion in emotions.items() if emotion is None)

    # Rule 2: emotions.
    if not unknown:
        stated = {known_class(name) for name in declared} - {None}
        return checked_classes({*emotions.values(), *stated}), emotions

    # Rule 3: names of another kind.
    if len(unknown) == len(emotions):
        as_written = {name: _spelt(name) for name in names}
        return checked_classes(set(as_written.values())), as_written

    # Rule 4: a mixture.
    name = unknown[0]
    known = ", ".join(sorted(set(emotions.values()) - {None}))
    raise StudyError(
        f"{names[name]}: unknown class {name!r}{_nearest(name, EIGHT_EMOTIONS)} Other names here "
        f"are emotions ({known}); rename it, or list all classes to read in the parameter `classes`"
    )


def label_images(
    names: Sequence[str],
    places: Mapping[str, str],
    wanted: Sequence[str] = (),
    *,
    declared: Iterable[str] = (),
    complete: bool = True,
) -> tuple[tuple[str, ...], list[str | None]]:
    """Give every image of a source its class by the rule of `classes_of`.

    Prints which names were taken for classes of another name, and which images are left out.

    Args:
        names: class name of each image, as written.
        places: where each name stands, for messages.
        wanted, declared, complete: as in `classes_of`.

    Returns:
        The classes, alphabetical, and the class of each image, None for one that is left out.
    """
    # What each name stands for.
    classes, by_name = classes_of(places, wanted, declared=declared, complete=complete)
    labels = [by_name.get(name) for name in names]

    # Nothing is renamed or left out silently.
    announce_aliases(by_name)
    announce_left_out(Counter(name for name in names if name not in by_name))
    return classes, labels


def checked_classes(classes: Iterable[str]) -> tuple[str, ...]:
    """Sort class names alphabetically.

    Raises:
        StudyError: fewer than 2, two that are equal but for case, or one that cannot be the name
            of a folder.
    """
    # Alphabetical in any case, and in one order for names that differ in case alone.
    ordered = tuple(sorted(classes, key=lambda name: (name.lower(), name)))
    for name in ordered:
        if not can_be_class(name):
            shown = shortened(name, LONGEST_SHOWN)
            raise StudyError(f"{shown!r} cannot be the name of a class: folders are named after it")

    # Neighbours in this order may be equal but for case.
    for name, following in zip(ordered, ordered[1:]):
        if name.lower() == following.lower():
            raise StudyError(
                f"the classes {name!r} and {following!r} have one name; rename one of them"
            )
    if len(ordered) < 2:
        raise StudyError(
            f"a classifier needs at least 2 classes, not {len(ordered)}: {', '.join(ordered)}"
        )
    return ordered


def class_of(name: str, where: str, classes: Sequence[str] = EMOTIONS) -> str:
    """Give the class that a name stands for, whatever its case; emotions have aliases too.

    Args:
        name: as written, e.g. a folder's.
        where: what to name in the message.
        classes: those that there are.

    Raises:
        StudyError: no class and no known alias of one.
    """
    known = known_class(name, classes)
    if known is None:
        raise StudyError(
            f"{where}: unknown class {name!r}{_nearest(name, classes)} Classes are "
            f"{', '.join(classes)}; rename it, or move its images away"
        )
    return known


def known_class(name: str, classes: Iterable[str] = EIGHT_EMOTIONS) -> str | None:
    """Find the class that a name equals but for case, or whose alias it is; None for none."""
    # A class's own name comes before its alias: a wanted class may be called joy.
    plain = _spelt(name).lower()
    by_name = {_spelt(known).lower(): known for known in classes}
    return by_name.get(plain) or by_name.get(ALIASES.get(plain))


def split_of(name: str) -> str | None:
    """Give the split that a folder or Usage value names (train, val, test), None for no split.

    Case, signs between words, numbers at the ends and words such as set and images do not matter:
    test_set, Validation Images and train2017 are splits.
    """
    # Letters and digits alone, so that train-set and TrainSet are one.
    plain = "".join(filter(str.isalnum, name.lower()))
    while plain not in SPLITS:
        shorter = re.sub(f"^(?:{BESIDE_SPLITS})|(?:{BESIDE_SPLITS})$", "", plain)
        if shorter == plain:
            return None
        plain = shorter
    return SPLITS[plain]


def names_a_container(folder: str) -> bool:
    """Tell whether a folder is called after what lies in it: images, faces, data set."""
    plain = "".join(filter(str.isalpha, folder.lower()))
    return bool(re.fullmatch(f"(?:{BESIDE_SPLITS})+", plain))


def split_in(path: str) -> str | None:
    """Find the split that a file's path names: train-00000-of-00001.parquet, default/test/0.png.

    The file's own name comes before its folders, the nearest first. A name may hold further words
    (fer2013_train, partial-train), but not two splits.

    Args:
        path: inside a source, with / between folders.
    """
    *folders, file = path.split("/")
    names = [file.rsplit(".", 1)[0] if "." in file else file, *reversed(folders)]
    for name in names:
        # The whole name, else its one word that is a split.
        words = {split_of(word) for word in re.split(r"[^A-Za-z]+", name)} - {None}
        split = split_of(name) or (words.pop() if len(words) == 1 else None)
        if split:
            return split
    return None


def announce_aliases(classes: Mapping[str, str]) -> None:
    """Print which names were taken for classes of another name, if any.

    Args:
        classes: name as written, and its class.
    """
    # Case and blanks around a name are not worth a line.
    renamed = {
        name: known for name, known in classes.items() if _spelt(name).lower() != known.lower()
    }
    if renamed:
        pairs = [f"{name} -> {known}" for name, known in sorted(renamed.items())]
        print("class names taken as: " + ", ".join(pairs))


def announce_left_out(counts: Mapping[str, int]) -> None:
    """Print which names were left out as none of the classes, if any, each with its images."""
    if counts:
        listed = [f"{name} ({count:,})" for name, count in sorted(counts.items())]
        total = f"{sum(counts.values()):,} in all"
        print(f"images of other classes, {total}, are left out: " + ", ".join(listed))


def _wanted_classes(
    names: Mapping[str, str], wanted: Sequence[str], complete: bool
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Match the names of a source with the wanted classes: rule 1 of `classes_of`."""
    # Names that stand for no wanted class drop out.
    classes = checked_classes(_spelt(name) for name in wanted)
    matched = {name: known_class(name, classes) for name in names}
    matched = {name: known for name, known in matched.items() if known is not None}

    # A class that was asked for and is not there is a mistake.
    missing = sorted(set(classes) - set(matched.values()))
    if missing and complete:
        raise StudyError(
            f"classes: there are no images of {', '.join(missing)}{_nearest(missing[0], names)} "
            f"Names in the source: {', '.join(sorted(names))}"
        )
    return classes, matched


def _spelt(name: str) -> str:
    """Spell a name in one way: without blanks around it, and ä as one sign, which macOS writes as
    two.
    """
    return unicodedata.normalize("NFC", name.strip())


def _nearest(name: str, known: Iterable[str]) -> str:
    """Suggest the known name, or the alias of one, that is spelt most alike; end the sentence."""
    # Known names, and aliases of those that are emotions.
    known = list(known)
    words = [*known, *(alias for alias, emotion in ALIASES.items() if emotion in known)]
    nearest = difflib.get_close_matches(name.strip().lower(), words, n=1)
    return f"; did you mean {nearest[0]!r}?" if nearest else "."
