#!/bin/sh
# Rewrites requirements.lock: resolves the project with all extras in a clean virtual environment and pins the result.
# The version of torch is kept; name another with TORCH=2.13.0. Set pip up for a CPU build of torch before.
set -eu
cd "${0%/*}/.."

torch=${TORCH:-$(sed -n 's/^torch==//p' requirements.lock)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${PYTHON:-python3}" -m venv "$work/venv"
pip="$work/venv/bin/python -m pip --disable-pip-version-check"
echo "torch==$torch" >"$work/constraints"
$pip install --quiet --constraint "$work/constraints" hatchling ".[all,dev]"
{
    sed -n '/^#/p' requirements.lock
    # Build labels (+cpu) and the CUDA libraries of one machine's torch must not bind another's.
    $pip list --format=freeze | grep -viE '^(corpusmill|pip|wheel|triton|nvidia)' | sed 's/+[a-z0-9.]*$//' | sort -f
} >"$work/lock"
cp "$work/lock" requirements.lock
