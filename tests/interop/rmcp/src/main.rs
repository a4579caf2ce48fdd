//! The official Rust SDK (`rmcp`) with its defaults: both eras on /mcp.
//!
//! `server PORT` prints `listening PORT` once. SIGTERM ends the sessions and then the server, as the SDK foresees.

use std::error::Error;

use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Clone)]
struct Interop;

#[tool_router]
impl Interop {
    #[tool(description = "Says hello")]
    fn hello(&self) -> String {
        "hello".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Interop {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = StreamableHttpServerConfig::default();
    let stop = config.cancellation_token.clone();
    let service: StreamableHttpService<Interop, LocalSessionManager> =
        StreamableHttpService::new(|| Ok(Interop), Default::default(), config);

    let port = std::env::args().nth(1).unwrap_or_default();
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening {}", listener.local_addr()?.port());

    let mut term = signal(SignalKind::terminate())?;
    let stopped = async move {
        term.recv().await;
        stop.cancel();
    };
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service))
        .with_graceful_shutdown(stopped)
        .await?;
    Ok(())
}
