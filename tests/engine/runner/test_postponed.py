"""pandas stays away until somebody asks for it, and then pyarrow knows it as ever."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pandas")
START = "import sys; from corpusmill.runner import worker; import pyarrow as pa; "


def says(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_lists_do_not_bring_pandas() -> None:
    """A worker that converts lists and makes tables of them has not imported pandas."""
    code = (
        "pa.array(['a', None]); pa.table({'a': [1]}); pa.Table.from_pylist([{'a': 1}]); print('pandas' in sys.modules)"
    )
    assert says(code) == "False"


def test_a_series_is_still_a_series() -> None:
    """Where a plugin imports pandas later, missing values of its series are null to pyarrow, not NaN."""
    code = "pa.array([1]); import pandas as pd; print(pa.array(pd.Series([1.0, None])).null_count)"
    assert says(code) == "1"


def test_to_pandas_still_works() -> None:
    """pyarrow's own way to pandas is open."""
    assert says("print(list(pa.table({'a': ['x', 'y']}).to_pandas()['a']))") == "['x', 'y']"


def test_pandas_does_not_see_it() -> None:
    """Once imported, pandas has its own loader and nothing of ours is left among the finders."""
    code = "import pandas, importlib; n = len(sys.meta_path); importlib.reload(pandas); from corpusmill.runner import "
    code += "postponed as p; print(any(type(one).__module__ == p.__name__ for one in sys.meta_path), "
    code += "type(pandas.__spec__.loader).__name__, type(pandas.__loader__).__name__)"
    assert says(code) == "False SourceFileLoader SourceFileLoader"


def test_a_process_that_has_pandas_is_left_alone() -> None:
    """Where pandas was imported before, as in a notebook, nothing is put in its way."""
    code = f"import sys, pandas; before = list(sys.meta_path); {START} print(sys.meta_path == before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
