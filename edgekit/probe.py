"""`python -m edgekit.probe TARGET`: one line of JSON that says whether a target's SDK works here."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from edgekit import registry
from edgekit.errors import EdgekitError

if __name__ == "__main__":
    try:
        answer = asdict(registry.load(sys.argv[1]).probe())
    except EdgekitError as error:
        answer = {"can_convert": False, "runs": "no", "reason": str(error)}
    print(json.dumps(answer))
