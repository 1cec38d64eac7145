"""Versions of the arithmetic of a training, raised by hand. Constants alone: lib/study reads them.

The key of a finished run holds these numbers and no hash of the code, so that a moved module, a
renamed function or a new comment repeats nothing. tests/classifiers/test_training_version.py holds
tiny runs to the values recorded for these versions: it fails when the arithmetic has changed and
the number has not.
"""

# Raise it when the same plan on the same faces trains to other numbers: another order of random
# draws, another loss, optimiser, augmentation or prediction. All finished runs are then repeated.
TRAINING_VERSION = 1

# Raise one of them when the layers or the initialisation of that network change. Only the runs of
# that network are then repeated. All networks from torchvision share one number.
NETWORK_VERSIONS = {
    "s1": 1,
    "small": 1,
    "fast": 1,
    "deep": 1,
    "s2": 1,
    "resemotenet": 1,
    "torchvision": 1,
}
