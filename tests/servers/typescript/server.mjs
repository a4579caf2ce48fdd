// One replica of a small MCP server on the official SDK, for Holter's tests on real input.
//
// Both transports on one port: HTTP+SSE (2024-11-05) on GET /sse and POST /messages, Streamable HTTP
// with sessions (2025-03-26 to 2025-11-25) on /mcp. Unknown sessions are answered as the SDK's own
// examples answer them. Knows nothing of Holter, of proxies, or of other replicas.
//
//   node server.mjs [--port 0] [--name r1] [--keepalive-ms 15000]
//
// `--keepalive-ms 0` is a silent server. stdout has `listening PORT` once, then one line per session
// opened and deleted (never its id). A signal ends the process as Node does it: without a farewell.

import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import express from 'express';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';

const { values: flags } = parseArgs({
    options: {
        port: { type: 'string', default: '0' },
        name: { type: 'string', default: 'r1' },
        'keepalive-ms': { type: 'string', default: '15000' }
    }
});
const keepAliveMs = Number(flags['keepalive-ms']);
const streamable = new Map(); // session id -> transport
const legacy = new Map();

function newServer() {
    const server = new McpServer({ name: flags.name, version: '1.0.0' });
    server.registerTool('whoami', { description: 'Names the replica that answers' }, async () => ({
        content: [{ type: 'text', text: flags.name }]
    }));
    return server;
}

function refuse(res, status, code, message) {
    res.status(status).json({ jsonrpc: '2.0', error: { code, message }, id: null });
}

async function openStreamable() {
    const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        keepAliveMs, // 0 turns the SDK's `: keepalive` comments off
        onsessioninitialized: id => {
            streamable.set(id, transport);
            console.log('session opened');
        },
        onsessionclosed: () => console.log('session deleted')
    });
    transport.onclose = () => streamable.delete(transport.sessionId);
    await newServer().connect(transport);
    return transport;
}

// No Host check (createMcpExpressApp has one): a proxy may send any Host.
const app = express();
app.use(express.json());
app.use((_req, res, next) => {
    res.setHeader('X-Replica', flags.name);
    next();
});

app.all('/mcp', async (req, res) => {
    const id = req.headers['mcp-session-id'];
    let transport = id && streamable.get(id);
    if (!transport && !id && req.method === 'POST' && isInitializeRequest(req.body)) {
        transport = await openStreamable();
    }
    if (transport) {
        await transport.handleRequest(req, res, req.body);
    } else if (id) {
        refuse(res, 404, -32001, 'Session not found');
    } else {
        refuse(res, 400, -32000, 'Bad Request: No valid session ID provided');
    }
});

app.get('/sse', async (_req, res) => {
    const transport = new SSEServerTransport('/messages', res);
    legacy.set(transport.sessionId, transport);
    // The SDK's legacy transport never beats, so the server writes the comments itself.
    const beat = keepAliveMs > 0 && setInterval(() => res.write(': keepalive\n\n'), keepAliveMs);
    transport.onclose = () => {
        clearInterval(beat);
        legacy.delete(transport.sessionId);
    };
    await newServer().connect(transport);
    console.log('session opened');
});

app.post('/messages', async (req, res) => {
    const transport = legacy.get(req.query.sessionId);
    if (transport) {
        await transport.handlePostMessage(req, res, req.body);
    } else {
        res.status(400).send('No transport found for sessionId');
    }
});

const listener = app.listen(Number(flags.port), '127.0.0.1', error => {
    if (error) throw error;
    console.log(`listening ${listener.address().port}`);
});
