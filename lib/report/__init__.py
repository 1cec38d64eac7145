"""Pages for readers: executed notebooks as HTML, an index a study, one over all. No page asks the
network for anything.
"""

from lib.report.index import render_index, render_top
from lib.report.listed import published_studies
from lib.report.notebook import render_notebook
from lib.report.study import render_study

__all__ = ["published_studies", "render_index", "render_notebook", "render_study", "render_top"]
