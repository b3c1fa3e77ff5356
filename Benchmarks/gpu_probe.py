#!/usr/bin/env python3
"""Whether a probe's kept answer says that it worked; with --hide it says from then on that it did not.

    python3 gpu_probe.py FOLDER NAME [--hide]

FOLDER holds the answers that the program keeps, a file a device; exits 1 where none of them has NAME working.
"""
import json
import pathlib
import sys

folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
worked = False
for path in folder.glob("*.json"):
    probes = json.loads(path.read_text())
    for result in probes["results"]:
        if result["name"] == name and result["works"]:
            worked = True
            result.update(works=False, reason="hidden to measure without it")
    if "--hide" in sys.argv[3:]:
        path.write_text(json.dumps(probes))
sys.exit(not worked)
