"""How the site is built: `make site`."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_site"))
#: For the notebooks: the command of this very environment.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
#: And a profile of their own: nobody's start-up files, and no notice of how kernels talk.
PROFILE = HERE.parent / "build" / "ipython" / "profile_default"
PROFILE.mkdir(parents=True, exist_ok=True)
(PROFILE / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 40\n", encoding="utf-8")
os.environ["IPYTHONDIR"] = str(PROFILE.parent)

from sphinx.application import Sphinx  # noqa: E402

import makeweight  # noqa: E402
import reference  # noqa: E402

project = "makeweight"
author = "makeweight developers"
copyright = "makeweight developers, BSD-3-Clause"
version = release = makeweight.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_site", "README.md"]
default_role = "code"
smartquotes = False  # two dashes are two dashes

autodoc_member_order = "bysource"
autodoc_typehints = "none"
#: Methods that scikit-learn writes into every estimator.
autodoc_default_options = {
    "exclude-members": "set_fit_request, set_predict_request, set_score_request, set_fit_resample_request, "
    "set_predict_proba_request"
}
napoleon_google_docstring = False
napoleon_use_rtype = False
#: Types of parameters are words, such as "array of shape (n, d)", and no cross-references.
napoleon_use_param = False
napoleon_use_ivar = True
#: Attributes of results are looked up by their bare names, and several results have a title or a reason.
suppress_warnings = ["ref.python"]

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_merge_streams = True

html_theme = "pydata_sphinx_theme"
html_title = f"makeweight {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_sidebars = {"index": [], "tutorial": []}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def setup(app: Sphinx) -> None:
    """Write the pages of the reference before any page is read."""
    reference.write_pages(HERE)
    app.connect("autodoc-process-docstring", mark_up, priority=1000)


def mark_up(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Take |x| in a docstring for the size of x, and docs/x.md for a link."""
    lines[:] = [reference.marked_up(line) for line in lines]
