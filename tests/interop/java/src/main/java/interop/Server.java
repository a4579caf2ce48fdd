package interop;

import java.nio.file.Files;
import java.time.Duration;
import java.util.List;

import io.modelcontextprotocol.server.McpServer;
import io.modelcontextprotocol.server.McpServerFeatures.SyncToolSpecification;
import io.modelcontextprotocol.server.transport.HttpServletSseServerTransportProvider;
import io.modelcontextprotocol.server.transport.HttpServletStreamableServerTransportProvider;
import io.modelcontextprotocol.spec.McpSchema.CallToolResult;
import io.modelcontextprotocol.spec.McpSchema.Tool;
import jakarta.servlet.http.HttpServlet;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;

/**
 * The official Java SDK in Tomcat: sessions on /mcp, HTTP+SSE on /sse and /messages.
 *
 * <p>By default the SDK never beats. /mcp asks for its keep-alive, which is a JSON-RPC ping; /sse has the default.
 * Prints {@code listening PORT} once. SIGTERM ends it as the JVM does, without a farewell.
 */
public final class Server {

    public static void main(String[] args) throws Exception {
        var streamable = HttpServletStreamableServerTransportProvider.builder()
                .mcpEndpoint("/mcp")
                .keepAliveInterval(Duration.ofSeconds(15))
                .build();
        McpServer.sync(streamable).serverInfo("interop", "1.0.0").tools(hello()).build();

        var sse = HttpServletSseServerTransportProvider.builder()
                .sseEndpoint("/sse")
                .messageEndpoint("/messages")
                .build();
        McpServer.sync(sse).serverInfo("interop", "1.0.0").tools(hello()).build();

        var tomcat = new Tomcat();
        tomcat.setBaseDir(Files.createTempDirectory("interop").toString());
        tomcat.setHostname("127.0.0.1");
        tomcat.setPort(Integer.parseInt(args[0]));
        tomcat.getConnector().setProperty("address", "127.0.0.1");
        var context = tomcat.addContext("", null);
        mount(context, "streamable", streamable, "/mcp");
        mount(context, "sse", sse, "/*");
        tomcat.start();
        System.out.println("listening " + tomcat.getConnector().getLocalPort());
        tomcat.getServer().await();
    }

    private static SyncToolSpecification hello() {
        var tool = Tool.builder("hello", java.util.Map.of("type", "object")).description("Says hello").build();
        return SyncToolSpecification.builder()
                .tool(tool)
                .callHandler((exchange, request) -> CallToolResult.builder().addTextContent("hello").build())
                .build();
    }

    private static void mount(Context context, String name, HttpServlet servlet, String path) {
        var wrapper = Tomcat.addServlet(context, name, servlet);
        wrapper.setAsyncSupported(true);
        wrapper.addMapping(path);
    }

    private Server() {}
}
