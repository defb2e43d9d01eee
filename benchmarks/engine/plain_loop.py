"""The loop the engine is measured against: plain_loop.py CHAIN PROCESSES OUT FILE... (same operators, rows alone)."""

import multiprocessing
import os
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa

from corpusmill import ReadLimits, Slice
from corpusmill_plugins.cleaners.unicode import Unicode
from corpusmill_plugins.filters.gopher_quality import GopherQuality
from corpusmill_plugins.filters.gopher_repetition import GopherRepetition
from corpusmill_plugins.filters.length import Length
from corpusmill_plugins.readers.jsonl import Jsonl

CHAINS = {
    "heavy": lambda: [Unicode(), GopherRepetition(), GopherQuality()],
    "light": lambda: [Length(Length.Options(min_chars=200))],
}
OPERATORS = []


def set_up(chain):
    """Load the operators, once a process."""
    OPERATORS[:] = CHAINS[chain]()
    for operator in OPERATORS:
        operator.setup()


def run_file(out, path):
    """Read, clean and judge one file; what is kept becomes an Arrow file, forced to the disk."""
    reader, size = Jsonl(Jsonl.Options(paths=path)), Path(path).stat().st_size
    file = SimpleNamespace(name=Path(path).name, size=size, open=lambda: Path(path).open("rb"))  # noqa: SIM115
    schema = pa.schema([*reader.adds().items(), ("offset", pa.int64())])
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with open(f"{out}/{file.name}.arrow", "wb") as sink:
        with pa.ipc.new_file(sink, schema, options=options) as writer:
            for batch in reader.read(Slice(file, 0, size, ReadLimits()), print):
                for operator in OPERATORS:
                    if operator.kind == "clean":
                        batch = operator.clean(batch)
                    else:
                        batch = batch.filter(pa.array(operator.judge(batch).keep))
                writer.write_batch(batch)
        sink.flush()
        os.fsync(sink.fileno())


if __name__ == "__main__":
    chain, processes, out, *paths = sys.argv[1:]
    with multiprocessing.Pool(int(processes), set_up, (chain,)) as pool:
        pool.map(partial(run_file, out), paths, chunksize=1)
        pool.close()
        pool.join()
