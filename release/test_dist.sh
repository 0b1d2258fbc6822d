#!/usr/bin/env bash
# Tests the wheel and the sdist of dist/, each in an environment with nothing but what it asks for, on the oldest and the
# newest Python: `make test-dist`, or release/test_dist.sh UV. UV_FIND_LINKS may name a folder with a torch for the CPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=${1:-uv}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The interpreter of a version, if it is here: on the path, or among those of pyenv.
python_of() {
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/"python$1"; do
    if "$candidate" -c '' 2> /dev/null; then echo "$candidate"; return; fi
  done
  echo "There is no Python $1 here." >&2
  return 1
}

for version in ${PYTHONS:-3.11 3.13}; do
  python=$(python_of "$version")
  for file in dist/wavelens-*.whl dist/wavelens-*.tar.gz; do
    "$uv" venv --quiet --clear --python "$python" "$folder/bare"
    "$uv" pip install --quiet --python "$folder/bare/bin/python" --constraint constraints.txt "$file"
    "$folder/bare/bin/python" -I release/try_installed.py
    echo "Python $version: $(basename "$file") works"
  done
done
