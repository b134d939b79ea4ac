"""Where the runs of a list go: `--engine local`, `slurm` or `lsf`; behind a colon the settings file of a cluster."""

from __future__ import annotations

from pathlib import Path

from hbm_model.errors import InputError

from hbm_tb.jobs import Engine, LocalEngine

LOCAL = "local"
CLUSTERS = ("slurm", "lsf")


def engine_named(text: str, jobs: int = 0) -> Engine:
    """The engine that `text` names: local, slurm, lsf, slurm:FILE or lsf:FILE.

    `jobs`: runs side by side; 0: one a processor here, as the settings say on a cluster. InputError when the engine
    cannot be used as it is described.
    """
    name, colon, file = text.partition(":")
    if name == LOCAL and not colon:
        return LocalEngine(jobs)
    if name not in CLUSTERS or (colon and not file):
        raise InputError(f"--engine {text}: local, slurm, lsf, slurm:FILE or lsf:FILE is needed (docs/scale-out.md)")
    from hbm_tb.engine_settings import read_settings

    settings = read_settings(name, Path(file) if file else None)
    # Dask is an optional part of the installation: whoever runs on one machine does without it.
    try:
        from hbm_tb.engine_dask import DaskEngine
    except ImportError as error:
        raise InputError(f"--engine {text}: {error}; `pip install hbm-controller[cluster]` brings it") from None
    return DaskEngine(name, settings, jobs)
