# SPDX-License-Identifier: MIT
"""The configurations that docs/VSCODE.md shows, made to fit a test: names of files and ports exchanged, nothing else."""
import json
import os
import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "VSCODE.md"


def read(rrsoft, workspace, port=None):
    """All configurations of the page by their names, with this build's programs in place of an installation's."""
    tools = os.path.dirname(rrsoft)
    exchanged = {"${workspaceFolder}": str(workspace), "/usr/local/bin": tools,
                 "/usr/local/share": os.path.realpath(os.path.join(tools, "../share")), ":1234": f":{port}"}
    found = {}
    for text in re.findall(r"(?ms)^```json\n(.*?)^```$", PAGE.read_text()):
        for old, new in exchanged.items():
            text = text.replace(old, new)
        configuration = json.loads(text)
        found[configuration["name"]] = configuration
    return found
