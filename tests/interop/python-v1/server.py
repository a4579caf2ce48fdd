"""The official Python SDK 1.x (`mcp`): Streamable HTTP with sessions on /mcp, HTTP+SSE on /sse.

    python server.py PORT      prints `listening PORT` once; uvicorn minds the signals
"""

import socket
import sys

import uvicorn
from mcp.server.fastmcp import FastMCP

server = FastMCP("interop")


@server.tool()
def hello() -> str:
    """Says hello."""
    return "hello"


app = server.streamable_http_app()
app.router.routes.extend(server.sse_app().routes)

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app)).run(sockets=[listener])
