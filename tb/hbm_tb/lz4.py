"""The lz4 library that Verilator's FST writer is compiled against: the system's, or one built into `.venv`.

A machine with only liblz4.so.1 has no header. The source distribution of the Python package `lz4` carries lz4.c and
lz4.h, which compile to a static library in a second.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VERSION = "4.4.5"
_PROBE = "#include <lz4.h>\nint main() { return LZ4_compressBound(1) == 0; }\n"


@dataclass(frozen=True)
class Lz4:
    """Where to find header and library; None where the compiler finds them on its own."""

    include: Path | None
    library: Path | None

    def cflags(self) -> list[str]:
        """Compiler options."""
        return [f"-I{self.include}"] if self.include else []

    def ldflags(self) -> list[str]:
        """Linker options."""
        return [f"-L{self.library}"] if self.library else []


def default_prefix() -> Path:
    """Folder of the library inside the virtual environment."""
    return Path(sys.prefix) / "share" / "hbm-lz4"


def system_lz4() -> bool:
    """True when a program with lz4.h compiles and links as it is."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.cpp"
        source.write_text(_PROBE)
        command = ["g++", str(source), "-o", str(source.with_suffix("")), "-llz4"]
        return subprocess.run(command, capture_output=True).returncode == 0


def _build(prefix: Path) -> None:
    """Download the source distribution, compile lz4.c, install header and library below `prefix`."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--no-binary", "lz4", "-d", folder, f"lz4=={VERSION}"], check=True)
        archive = next(Path(folder).glob("lz4-*.tar.gz"))
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(folder)
        source = next(Path(folder).glob("lz4-*/lz4libs/lz4.c"))
        work = Path(folder) / "out"
        work.mkdir()
        compile_c = ["g++", "-x", "c", "-O3", "-fPIC", "-c", str(source), "-o", str(work / "lz4.o")]
        subprocess.run(compile_c, check=True)
        subprocess.run(["ar", "rcs", str(work / "liblz4.a"), str(work / "lz4.o")], check=True)
        (prefix / "include").mkdir(parents=True, exist_ok=True)
        (prefix / "lib").mkdir(parents=True, exist_ok=True)
        shutil.copy(source.with_suffix(".h"), prefix / "include" / "lz4.h")
        # Last, because its presence means that all is there.
        shutil.copy(work / "liblz4.a", prefix / "lib" / "liblz4.a")


def ensure_lz4(prefix: Path | None = None) -> Lz4:
    """Find lz4, or build it below `prefix` (default: inside the virtual environment)."""
    prefix = prefix or default_prefix()
    if not (prefix / "lib" / "liblz4.a").exists():
        if system_lz4():
            return Lz4(None, None)
        _build(prefix)
    return Lz4(prefix / "include", prefix / "lib")


if __name__ == "__main__":
    print(ensure_lz4())
