"""FastMCP (`fastmcp`), on the Python SDK 2.x: sessions on /mcp, HTTP+SSE on /sse.

    python server.py PORT      prints `listening PORT` once; uvicorn minds the signals
"""

import socket
import sys

import uvicorn
from fastmcp import FastMCP

server = FastMCP("interop")


@server.tool()
def hello() -> str:
    """Says hello."""
    return "hello"


app = server.http_app()
app.router.routes.extend(server.http_app(transport="sse").routes)

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app)).run(sockets=[listener])
