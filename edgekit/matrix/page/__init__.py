"""report.html: the whole matrix in one file, without scripts and without anything from elsewhere.

Why a template and no plotting library: docs/decisions/0026-report-page.md.
"""

from edgekit.matrix.page.document import FILE_NAME, render_page, write_page

__all__ = ["FILE_NAME", "render_page", "write_page"]
