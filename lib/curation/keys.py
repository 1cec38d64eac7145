"""Keys of a panel in JupyterLab: they act on the panel, and never on the notebook around it.

In JupyterLab's command mode a letter is a command (`r` turns the cell to raw text, `d` `d` deletes
it), and a click on a button of a panel leaves the notebook in that mode. A panel therefore keeps
the keyboard: a click anywhere in it puts the cursor into its field, in the browser and at once, and
JupyterLab is told to take no key from inside of it.
"""

import itertools
from collections.abc import Callable
from os.path import commonprefix

# Marks the panel, and is found by the script below.
CLASS = "keeps-keys"
_numbers = itertools.count(1)

# A panel appears a moment after its cell has run. Letters and digits go to its field even when a
# button has the focus; Enter, space and Tab still work that button.
SCRIPT = """
(() => {
  const keep = (tries) => {
    const panel = document.querySelector(".NAME");
    const field = panel && panel.querySelector("input[type=text]");
    if (!field) { if (tries) setTimeout(() => keep(tries - 1), 100); return; }
    panel.setAttribute("data-lm-suppress-shortcuts", "true");
    const focus = () => field.focus({ preventScroll: true });
    panel.addEventListener("click", focus);
    panel.addEventListener("keydown", (event) => {
      const isKey = event.key.length === 1 && event.key !== " ";
      if (isKey && !event.ctrlKey && !event.metaKey && !event.altKey) focus();
      event.stopPropagation();
    });
    focus();
  };
  keep(100);
})();
"""


def key_field(act: Callable[[str], None], keys: str):
    """Make the field in which each typed key acts once.

    Args:
        act: called with each key, a lower-case letter or digit.
        keys: what the keys mean, shown while the field is empty.
    """
    import ipywidgets as widgets

    field = widgets.Text(
        placeholder=keys,
        description="keys",
        continuous_update=True,
        layout=widgets.Layout(width="34em"),
    )

    def typed(change):
        # The browser sends the whole field, and the next key may be under way before the last was
        # answered, so only what was added acts. For the same reason the field is never emptied.
        added = change["new"][len(commonprefix([change["old"], change["new"]])) :]
        for key in added.lower():
            act(key)

    field.observe(typed, names="value")
    return field


def keep_keys(panel):
    """Let a panel keep the keyboard from a click on it, and from its first appearance.

    Args:
        panel: the outermost widget, with one `key_field` in it.

    Returns:
        The panel.
    """
    from IPython.display import Javascript, display

    # A name of its own, for a notebook may hold several panels.
    name = f"{CLASS}-{next(_numbers)}"
    panel.add_class(CLASS)
    panel.add_class(name)
    display(Javascript(SCRIPT.replace("NAME", name)))
    return panel
