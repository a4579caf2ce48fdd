// The official TypeScript SDK 1.x, as its examples use it: sessions on /mcp, HTTP+SSE on /sse and /messages.
//
//   node server.mjs PORT      prints `listening PORT` once; a signal ends it as Node does, without a farewell

import { randomUUID } from 'node:crypto';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';

const sessions = new Map(); // session id -> transport, of either kind

function newServer() {
    const server = new McpServer({ name: 'interop', version: '1.0.0' });
    server.registerTool('hello', { description: 'Says hello' }, async () => ({
        content: [{ type: 'text', text: 'hello' }]
    }));
    return server;
}

async function openSession() {
    const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: id => sessions.set(id, transport)
    });
    transport.onclose = () => sessions.delete(transport.sessionId);
    await newServer().connect(transport);
    return transport;
}

const app = createMcpExpressApp();

app.all('/mcp', async (req, res) => {
    const id = req.headers['mcp-session-id'];
    let transport = id && sessions.get(id);
    if (!transport && !id && isInitializeRequest(req.body)) transport = await openSession();
    if (transport) return transport.handleRequest(req, res, req.body);
    const [status, code, message] = id
        ? [404, -32001, 'Session not found']
        : [400, -32000, 'Bad Request: No valid session ID provided'];
    res.status(status).json({ jsonrpc: '2.0', error: { code, message }, id: null });
});

app.get('/sse', async (_req, res) => {
    const transport = new SSEServerTransport('/messages', res);
    sessions.set(transport.sessionId, transport);
    transport.onclose = () => sessions.delete(transport.sessionId);
    await newServer().connect(transport);
});

app.post('/messages', async (req, res) => {
    const transport = sessions.get(req.query.sessionId);
    if (transport) return transport.handlePostMessage(req, res, req.body);
    res.status(400).send('No transport found for sessionId');
});

const listener = app.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
    console.log(`listening ${listener.address().port}`);
});
