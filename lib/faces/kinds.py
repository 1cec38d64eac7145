"""What the images of a face set are: whether they may be shown to anybody."""

import pandas as pd


def kind_of_images(table: pd.DataFrame) -> str:
    """Say what the images of a face set are: "drawings", "generated", or "photographs" as soon as one of them may be one.

    Decided by what only a drawing or a generator leaves in the table, never by the name of a folder.

    Args:
        table: of a FaceSet.
    """
    drawn = table["source"].eq("drawn") & table["true_class"].notna() if "true_class" in table else pd.Series(False, table.index)
    generated = table["generator"].fillna("").ne("") if "generator" in table else pd.Series(False, table.index)
    if "edited_from" in table:  # an edited face still shows who was in the photograph
        generated &= table["edited_from"].fillna("").eq("")
    if drawn.all():
        return "drawings"
    return "generated" if (drawn | generated).all() else "photographs"
