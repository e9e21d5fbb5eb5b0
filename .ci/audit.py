"""Say what pip-audit found, and of which packages it could find nothing because nothing answered.

Reads pip-audit's JSON on stdin. pip-audit itself says "No known vulnerabilities found" of packages that it
never looked up; here they are told as not looked at. Judges nothing: the exit status is 0.
"""

import json
import sys


def lines(report):
    """What to say of a report, a line each."""
    packages = report["dependencies"]
    unseen = [package for package in packages if "skip_reason" in package]
    for package in packages:
        for hole in package.get("vulns", []):
            mended = ", ".join(hole["fix_versions"]) or "no version yet"
            yield f"{package['name']} {package['version']}: {hole['id']}, mended in {mended}"
    n_seen = len(packages) - len(unseen)
    n_bad = sum(bool(package.get("vulns")) for package in packages)
    yield f"{n_seen} packages looked up, {n_bad} with known vulnerabilities."
    if unseen:
        yield f"{len(unseen)} packages not looked at: {', '.join(package['name'] for package in unseen)}."


if __name__ == "__main__":
    text = sys.stdin.read()
    print(
        *(lines(json.loads(text)) if text.strip() else ["pip-audit gave nothing: no package was looked at."]), sep="\n"
    )
