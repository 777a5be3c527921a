"""The view of a run as HTML, Markdown, JSON, terminal lines, JUnit properties and GitHub's job texts."""

__all__ = ["github", "html_page", "json_document", "junit", "markdown", "terminal"]
