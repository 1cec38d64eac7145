"""What the images of a face set are: whether they may be shown to anybody, and whether faces."""

import pandas as pd

from lib.faces.faceset import FaceSet

# Column of images that are no faces: what they are instead, in the plural (digits). Loaders that
# read something else than faces write it; whoever names a folder cannot.
SUBJECT = "subject"


def kind_of_images(table: pd.DataFrame) -> str:
    """Name what the images of a face set are.

    Decided by what only a drawing, a generator or a loader leaves in the table, never by the name
    of a folder.

    Args:
        table: of a FaceSet.

    Returns:
        "drawings", "generated", or a subject that is no face ("digits"); "generated" for a mixture
        of these; "photographs" as soon as one image may be a photograph of a person.
    """
    nothing = pd.Series("", table.index)

    # Drawings know their true class.
    drawn = table["source"].eq("drawn") & table.get("true_class", nothing).fillna("").ne("")

    # An edited face still shows who was in the photograph.
    generated = table.get("generator", nothing).fillna("").ne("")
    generated &= table.get("edited_from", nothing).fillna("").eq("")

    # Images of something else than faces show nobody.
    subject = table.get(SUBJECT, nothing).fillna("")
    if drawn.all():
        return "drawings"
    if subject.ne("").all() and subject.nunique() == 1:
        return subject.iloc[0]
    if (drawn | generated | subject.ne("")).all():
        return "generated"
    return "photographs"


def is_faces(faces: FaceSet) -> bool:
    """Tell whether the images show faces, as all do but those of the digits.

    Ask it of a study's real images, for a generator's images are whatever it learned from. Where
    it is False, steps that look for a face in an image do not apply.
    """
    return SUBJECT not in faces.table or not faces.table[SUBJECT].fillna("").ne("").any()
