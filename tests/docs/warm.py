"""`tallystick` without its start: a process that has imported everything forks for each call.

A start takes a second of imports, and the documents call the program some fifty times. Each call is a process of its
own with the arguments, environment, folder and streams of its caller, and runs the same `main`.

    python -m tests.docs.warm SOCKET    serves until it is ended; says `ready` first
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import tallystick
from tallystick.cli import main
from tests.docs.blocks import ROOT

ADDRESS = "DOCS_TALLYSTICK"
"""The variable in which a caller finds the socket."""
CALLER = f"""\
#!{sys.executable} -IS
import json, os, socket, sys
request = {{"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.environ["{ADDRESS}"])
    socket.send_fds(server, [json.dumps(request).encode() + b"\\n"], [0, 1, 2])
    sys.exit(int(server.recv(8) or b"70"))
"""


class WarmProgram:
    """The server's process, and the caller named `tallystick` in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "socket"
        caller = folder / "tallystick"
        caller.write_text(CALLER)
        caller.chmod(0o755)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.docs.warm", str(self.socket)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def _serve(path: str) -> NoReturn:
    for module in pkgutil.walk_packages(tallystick.__path__, "tallystick."):
        importlib.import_module(module.name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)
        while True:
            caller, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _answer(caller)
            caller.close()


def _answer(caller: socket.socket) -> NoReturn:
    """One call, in a process of its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, streams, _, _ = socket.recv_fds(caller, 1 << 20, 3)
    while not text.endswith(b"\n"):
        text += caller.recv(1 << 20)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    code = _run(json.loads(text))
    caller.sendall(str(code).encode())
    os._exit(code)


def _run(request: dict[str, Any]) -> int:
    """What the process would have ended with."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["tallystick", *request["arguments"]]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115 (for good)
    try:
        main(prog_name="tallystick")
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:  # noqa: BLE001 (as the interpreter would)
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    _serve(sys.argv[1])
