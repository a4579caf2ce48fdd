//! `/-/reload`: asks the process for something, and so only where `--web.enable-lifecycle` allows it.

use axum::extract::State;
use axum::http::StatusCode;

use super::routes::Views;

/// What stands where it is not allowed.
const OFF: &str = "Not allowed: start holter with --web.enable-lifecycle.\n";

/// Reads the configuration again, and answers when it runs or was refused.
pub(super) async fn reload(State(views): State<Views>) -> (StatusCode, String) {
    let Some(door) = views.reload() else {
        return (StatusCode::FORBIDDEN, OFF.to_owned());
    };
    match door.ask().await {
        Some(Ok(())) => (StatusCode::OK, "Reloaded.\n".to_owned()),
        Some(Err(problems)) => (StatusCode::INTERNAL_SERVER_ERROR, problems + "\n"),
        None => (StatusCode::SERVICE_UNAVAILABLE, "Stopping.\n".to_owned()),
    }
}
