"""One renderer a format, imported when it is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.render.findings import Findings


def render(findings: Sequence[Findings], output_format: str, color: bool) -> str:
    """Findings of a whole run as `text`, `concise`, `json`, `github` or `sarif`; without a line end."""
    match output_format:
        case "json":
            from eosdsl.render.json import render_json

            return render_json(findings)
        case "sarif":
            from eosdsl.render.sarif import render_sarif

            return render_sarif(findings)
        case "github":
            from eosdsl.render.github import render_github

            return render_github(findings)
        case "concise":
            from eosdsl.render.concise import render_concise

            return render_concise(findings)
        case "text" if not any(f.diagnostics for f in findings):
            return ""
        case "text":
            from eosdsl.render.text import render_text

            return "\n\n".join(render_text(f.diagnostics, f.source, color) for f in findings if f.diagnostics)
        case _:
            raise ValueError(f"no renderer for {output_format!r}")
