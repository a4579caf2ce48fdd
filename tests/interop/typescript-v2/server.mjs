// The official TypeScript SDK 2.x: both eras without sessions on /mcp (createMcpHandler), sessions on /stateful.
//
//   node server.mjs PORT      prints `listening PORT` once
//
// SIGTERM closes the handler, as the SDK asks of a server that stops; sessions get no farewell.

import { randomUUID } from 'node:crypto';
import { createMcpExpressApp } from '@modelcontextprotocol/express';
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';

function newServer() {
    const server = new McpServer({ name: 'interop', version: '1.0.0' });
    server.registerTool('hello', { description: 'Says hello' }, async () => ({
        content: [{ type: 'text', text: 'hello' }]
    }));
    return server;
}

const handler = createMcpHandler(newServer);
const serve = toNodeHandler(handler);
const sessions = new Map(); // session id -> transport

async function openSession() {
    const transport = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: id => sessions.set(id, transport)
    });
    transport.onclose = () => sessions.delete(transport.sessionId);
    await newServer().connect(transport);
    return transport;
}

const app = createMcpExpressApp();

app.all('/mcp', (req, res) => serve(req, res, req.body));

app.all('/stateful', async (req, res) => {
    const id = req.headers['mcp-session-id'];
    let transport = id && sessions.get(id);
    if (!transport && !id && req.body?.method === 'initialize') transport = await openSession();
    if (transport) return transport.handleRequest(req, res, req.body);
    const [status, code, message] = id
        ? [404, -32001, 'Session not found']
        : [400, -32000, 'Bad Request: No valid session ID provided'];
    res.status(status).json({ jsonrpc: '2.0', error: { code, message }, id: null });
});

process.once('SIGTERM', async () => {
    await handler.close();
    setTimeout(() => process.exit(0), 100); // what was said goes out first
});

const listener = app.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
    console.log(`listening ${listener.address().port}`);
});
