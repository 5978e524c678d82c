"""`python3 -m app`: makes the environment when it is missing, then starts the playground."""

from __future__ import annotations

import argparse
import sys

from app import bootstrap


def main(arguments: list[str] | None = None) -> int:
    """Start the server as the command line says; returns an exit code."""
    options = _parser().parse_args(arguments)
    host = options.host
    try:
        python = bootstrap.environment("requirements.txt")
        bootstrap.require_port(host, options.port)
    except bootstrap.BootstrapError as error:
        print(error, file=sys.stderr)
        return 1
    shown = f"[{host}]" if ":" in host else host
    print(f"PyTorch Playground: http://{shown}:{options.port} (Ctrl-C ends it)", flush=True)
    if host in ("0.0.0.0", "::"):
        print(f"Others on this network: http://{_own_address()}:{options.port}", flush=True)
    command = [python, "-m", "streamlit", "run", "app/main.py"]
    command += ["--server.address", host, "--server.port", str(options.port)]
    hidden = {"PLAYGROUND_CPU": "1", "CUDA_VISIBLE_DEVICES": ""} if options.cpu else {}
    return bootstrap.hand_over(command, hidden)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m app", description=__doc__)
    parser.add_argument("--port", type=_port, default=8501, help="where to listen (8501)")
    parser.add_argument(
        "--host",
        type=_host,
        default="127.0.0.1",
        help="address to listen on (127.0.0.1: this machine only; 0.0.0.0: everyone on the network)",
    )
    parser.add_argument("--cpu", action="store_true", help="hide GPUs and other accelerators")
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _host(text: str) -> str:
    if not text.strip():  # which the server would take for "everyone"
        raise argparse.ArgumentTypeError(
            "a host is an address such as 127.0.0.1, not an empty text"
        )
    return "0.0.0.0" if text == "*" else text.strip()


def _own_address() -> str:
    """This machine's address in its network; asks the routing table and sends nothing."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address: no packet leaves
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
