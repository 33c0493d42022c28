"""Sets up everything that `make demo`, `make test` and `make check` need, below the repository's folder.

Needs Python 3.11+, Node 20+, npm and make; uses nothing outside the standard library. Each step leaves a stamp, the
hash of what went into it, in `.cache/setup/`; a step whose stamp still fits is not run again, and a step that was
interrupted has no stamp.

    python3 toolchain/setup.py             what the demo and the checks need
    python3 toolchain/setup.py --system    the system packages of the tests as well (PostgreSQL, hledger)
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "setup: Python %d.%d found, 3.11 or later needed: install it and run `make setup PYTHON=python3.11`."
        % sys.version_info[:2]
    )

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".cache" / "setup"
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
BOOTSTRAP = ROOT / ".cache" / "bootstrap"
UV = BOOTSTRAP / "bin" / "uv"
NODE_MAJOR_NEEDED = 20
LOG_LINES_SHOWN = 25
WHEELS_END_AT = (3, 12)
"""The last Python for which every locked package has a wheel (Ape holds numpy below 2)."""


class SetupError(Exception):
    """A step that could not be done; the message says what to do about it."""


class Step(NamedTuple):
    """One step. `inputs` is hashed into the stamp, kept in `state`; `product` must exist for the stamp to count."""

    name: str
    title: str
    inputs: tuple[str, ...]
    product: Path
    run: Callable[[Journal], None]
    state: Path = STATE

    @property
    def stamp(self) -> Path:
        return self.state / f"{self.name}.stamp"

    @property
    def digest(self) -> str:
        return hashlib.sha256("\0".join((str(ROOT), *self.inputs)).encode()).hexdigest()

    @property
    def is_done(self) -> bool:
        try:
            return self.product.exists() and self.stamp.read_text() == self.digest
        except FileNotFoundError:
            return False


class Journal:
    """Progress lines on standard output, and each step's full output in `.cache/setup/<step>.log`."""

    _lock = threading.Lock()

    def __init__(self, step: Step, lock_file: int) -> None:
        self._path = step.state / f"{step.name}.log"
        self._path.write_text("")
        self._lock_file = lock_file

    @classmethod
    def say(cls, text: str) -> None:
        with cls._lock:
            print(f"[setup] {text}", flush=True)

    def call(self, *command: str | Path, **variables: str) -> None:
        """Runs a command in the repository's folder. Raises SetupError with the end of its output when it fails."""
        with self._path.open("a") as log:
            print("$", *command, file=log, flush=True)
            done = subprocess.run(
                [str(word) for word in command],
                cwd=ROOT,
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                # A child that outlives a killed set-up keeps the lock, so that the next one waits for it.
                pass_fds=(self._lock_file,),
            )
        if done.returncode != 0:
            lines = self._path.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            shown = "\n".join(f"    {line}" for line in lines)
            raise SetupError(
                f"`{' '.join(map(str, command))}` failed ({done.returncode}):\n{shown}\n    full log: {self._path}"
            )


def run_step(step: Step, lock_file: int) -> None:
    """Runs the step unless its stamp fits, and stamps it."""
    if step.is_done:
        return
    step.stamp.unlink(missing_ok=True)
    Journal.say(f"{step.title} ...")
    started = time.monotonic()
    step.run(Journal(step, lock_file))
    draft = step.stamp.with_suffix(".draft")
    draft.write_text(step.digest)
    draft.replace(step.stamp)
    Journal.say(f"{step.title}: done in {time.monotonic() - started:.1f} s")


# --- What must be on the machine ------------------------------------------------------------------------------------


def chosen_python() -> str:
    """The interpreter for .venv: this one, or an older one on PATH when this one has no wheels for some package."""
    if sys.version_info[:2] <= WHEELS_END_AT:
        return sys.executable
    for name in ("python3.12", "python3.11"):
        if found := shutil.which(name):
            return found
    Journal.say(
        f"note: for Python {platform.python_version()} not every package has a ready-made wheel, so that a C compiler "
        "may be needed; with python3.12 or python3.11 on PATH none is."
    )
    return sys.executable


def require_node() -> str:
    """Node's version, for the stamp. Raises SetupError when node or npm is missing or node too old."""
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            raise SetupError(
                f"{name} not found on PATH, Node {NODE_MAJOR_NEEDED}+ with npm needed: install it and run again."
            )
    found = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(found.lstrip("v").split(".")[0]) < NODE_MAJOR_NEEDED:
        raise SetupError(f"Node {found} found, {NODE_MAJOR_NEEDED} or later needed: install it and run again.")
    return found


def require_make() -> None:
    """Raises SetupError when make is missing: a set-up started by hand would leave a machine that cannot go on."""
    if shutil.which("make") is None:
        raise SetupError("make not found on PATH: install it (Debian: `apt-get install make`) and run again.")


# --- The steps ------------------------------------------------------------------------------------------------------


def make_venv(journal: Journal) -> None:
    """An empty .venv; whatever an interrupted set-up left there is gone afterwards."""
    python = chosen_python()
    has_ensurepip = subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0
    if not has_ensurepip:
        install_system_packages(
            journal, "python3-venv", why=f"{python} cannot make virtual environments (no ensurepip)"
        )
    journal.call(python, "-m", "venv", "--clear", VENV)


def install_bootstrap(journal: Journal) -> None:
    """uv, pinned and hashed, beside .venv. Where it cannot be installed, pip does its work."""
    shutil.rmtree(BOOTSTRAP, ignore_errors=True)
    BOOTSTRAP.mkdir(parents=True)
    lock = ROOT / "toolchain" / "bootstrap.lock"
    try:
        journal.call(VENV_PYTHON, "-m", "pip", "install", "--require-hashes", "--target", BOOTSTRAP, "-r", lock)
    except SetupError as error:
        Journal.say(f"uv could not be installed, going on with pip, which is slower. {error}")


def install_python_packages(journal: Journal) -> None:
    """Exactly the packages of the lock, hashes checked."""
    begun = STATE / "packages.begun"
    if begun.exists():  # cut off in the middle of it, the last time: some package may be there by halves
        make_venv(journal)
    begun.touch()
    lock = ROOT / "requirements.lock"
    if UV.exists():
        constraints = ROOT / "toolchain" / "bootstrap.lock"
        journal.call(
            UV, "pip", "sync", "--python", VENV_PYTHON, "--require-hashes", "--build-constraints", constraints, lock,
            VIRTUAL_ENV=str(VENV),
        )  # fmt: skip
    else:
        journal.call(VENV_PYTHON, "-m", "pip", "install", "--require-hashes", "-r", lock)
    begun.unlink()


def install_tallystick(journal: Journal) -> None:
    """The package itself, editable, built by the locked hatchling: nothing is downloaded."""
    if UV.exists():
        journal.call(
            UV, "pip", "install", "--python", VENV_PYTHON, "--no-deps", "--no-build-isolation", "--editable", ROOT,
            VIRTUAL_ENV=str(VENV),
        )  # fmt: skip
    else:
        journal.call(VENV_PYTHON, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--editable", ROOT)


def install_npm_packages(journal: Journal) -> None:
    """solc, OpenZeppelin and Foundry's binaries, exactly as locked."""
    journal.call("npm", "ci", "--no-audit", "--no-fund")
    if not (ROOT / "node_modules" / ".bin" / "anvil").exists() and shutil.which("anvil") is None:
        raise SetupError(
            f"no anvil for {platform.system()} {platform.machine()}: npm carries the Linux x86-64 build, elsewhere an "
            "anvil on PATH is used. Install Foundry 1.7 and run again."
        )


def install_postgresql(journal: Journal) -> None:
    """PostgreSQL's binaries, without starting a server."""
    config = Path("/etc/postgresql-common/createcluster.conf")
    if may_install_system_packages() and not config.exists():
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text("# Tests start servers of their own.\ncreate_main_cluster = false\n")
    install_system_packages(journal, "postgresql", why="tests of the PostgreSQL storage need `initdb` and `postgres`")


def postgresql_initdb() -> Path | None:
    """initdb on PATH, or where Debian keeps it."""
    if found := shutil.which("initdb"):
        return Path(found)
    return max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)


def install_hledger(journal: Journal) -> None:
    """The program that reads one of the ledger's exports."""
    install_system_packages(journal, "hledger", why="tests of the ledger's exports need `hledger`")


def hledger() -> Path | None:
    """hledger on PATH."""
    found = shutil.which("hledger")
    return None if found is None else Path(found)


def may_install_system_packages() -> bool:
    """True as root on a machine with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_system_packages(journal: Journal, *packages: str, why: str) -> None:
    """Installs Debian packages. Raises SetupError where that is not possible, saying why they are needed."""
    if not may_install_system_packages():
        raise SetupError(
            f"{why}: install {' '.join(packages)} (Debian: `sudo apt-get install {' '.join(packages)}`) and run again."
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    journal.call("apt-get", "update", "-q", **quiet)
    keep_config = "Dpkg::Options::=--force-confold"
    journal.call("apt-get", "install", "-q", "-y", "--no-install-recommends", "-o", keep_config, *packages, **quiet)


# --- The whole ------------------------------------------------------------------------------------------------------


SYSTEM: tuple[tuple[Callable[[], Path | None], Step], ...] = (
    (postgresql_initdb, Step("postgresql", "PostgreSQL", (), Path("/usr/lib/postgresql"), install_postgresql)),
    (hledger, Step("hledger", "hledger", (), Path("/usr/bin/hledger"), install_hledger)),
)
"""The tests' system packages: what finds each where it is there already, and the step that installs it."""


def text_of(*names: str) -> tuple[str, ...]:
    return tuple((ROOT / name).read_text() for name in names)


def tracks() -> tuple[tuple[Step, ...], ...]:
    """The steps, in lists that do not depend on each other."""
    python = f"{Path(sys.executable).resolve()} {platform.python_version()}"
    venv_inputs = (python, "1")
    bootstrap_inputs = (*venv_inputs, *text_of("toolchain/bootstrap.lock"))
    package_inputs = (*bootstrap_inputs, *text_of("requirements.lock"))
    own_inputs = (*package_inputs, *text_of("pyproject.toml"))
    python_track = (
        Step("venv", "virtual environment", venv_inputs, VENV_PYTHON, make_venv),
        Step("bootstrap", "uv", bootstrap_inputs, BOOTSTRAP, install_bootstrap),
        Step("packages", "Python packages", package_inputs, VENV / "bin" / "ape", install_python_packages),
        Step("tallystick", "tallystick itself", own_inputs, VENV / "bin" / "tallystick", install_tallystick),
    )
    npm_inputs = (require_node(), platform.machine(), *text_of("package.json", "package-lock.json", ".npmrc"))
    npm_product = ROOT / "node_modules" / ".package-lock.json"
    return python_track, (Step("npm", "npm packages", npm_inputs, npm_product, install_npm_packages),)


@contextlib.contextmanager
def only_one() -> Iterator[int]:
    """One set-up at a time; gives the lock's file descriptor, which the system closes whatever happens."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            Journal.say("another set-up is running, waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def run_track(steps: tuple[Step, ...], lock_file: int) -> None:
    """Runs the steps in order; once one had to run, those after it run too, because they stand on it."""
    for position, step in enumerate(steps):
        if not step.is_done:
            for later in steps[position:]:
                later.stamp.unlink(missing_ok=True)
        run_step(step, lock_file)


def set_up(*, system: bool) -> None:
    """Brings the repository's folder up to date. Raises SetupError."""
    require_make()
    started = time.monotonic()
    with only_one() as lock_file:
        every = tracks()
        was_done = all(step.is_done for track in every for step in track)
        with ThreadPoolExecutor(max_workers=len(every)) as pool:
            for work in [pool.submit(run_track, track, lock_file) for track in every]:
                work.result()
        if system:
            set_up_system(lock_file)
    Journal.say("up to date" if was_done else f"ready in {time.monotonic() - started:.1f} s")


def set_up_system(lock_file: int) -> None:
    """The tests' system packages. In CI a missing one is an error; elsewhere what is left out is said."""
    for find, step in SYSTEM:
        if find() is not None:
            continue
        step.stamp.unlink(missing_ok=True)  # whatever was installed once, it is not there now
        try:
            run_step(step, lock_file)
        except SetupError as error:
            if os.environ.get("CI") == "true":
                raise
            Journal.say(f"skipped {step.title}: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Sets up the repository's folder.")
    parser.add_argument("--system", action="store_true", help="install the system packages of the tests as well")
    options = parser.parse_args()
    try:
        set_up(system=options.system)
    except SetupError as error:
        sys.exit(f"[setup] error: {error}")
    except KeyboardInterrupt:
        sys.exit("[setup] interrupted: the next `make setup` goes on from here.")


if __name__ == "__main__":
    main()
