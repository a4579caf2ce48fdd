//! The HTTP clients of the canaries.
//!
//! Every request gets a fresh connection: a pooled one would go to the replica of the request before and
//! hide affinity misses, and silent retries would hide ends.

use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, SET_COOKIE};
use reqwest::{Method, Response};

use super::cause;
use crate::canary::ending::Cause;
use crate::canary::protocol::{Answer, Request};

/// How Holter names itself; log sources leave requests of this agent out.
pub const USER_AGENT: &str = concat!("holter/", env!("CARGO_PKG_VERSION"));

/// The most of an answer's body that is read: answers to `initialize` and `ping` are far smaller.
const BODY_MAX: usize = 256 * 1024;

/// What a canary's requests carry and how long they may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Configured headers.
    pub headers: Vec<(String, String)>,
    /// The file with the bearer token; read for each request, so that a rotated secret is used.
    pub bearer_token_file: Option<PathBuf>,
    /// Time for a connection, and then for an answer.
    pub connect_timeout: Duration,
    /// Whether the URL is `https`: only then are the system's certificates needed.
    pub tls: bool,
}

/// The clients of one canary slot.
#[derive(Clone, Debug)]
pub struct Http {
    stream: reqwest::Client,
    post: reqwest::Client,
    headers: HeaderMap,
    bearer_token_file: Option<PathBuf>,
    answer_timeout: Duration,
}

impl Http {
    /// Builds the clients.
    ///
    /// # Errors
    ///
    /// When a header is malformed (the configuration checks them) or the system's certificates cannot be
    /// loaded.
    pub fn new(settings: &Settings) -> Result<Self, BuildError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let name = HeaderName::try_from(name).map_err(|_| BuildError::Header(name.clone()))?;
            let value =
                HeaderValue::try_from(value).map_err(|_| BuildError::Header(name.to_string()))?;
            headers.append(name, value);
        }
        install_crypto();
        let builder = || {
            let builder = reqwest::Client::builder();
            // Without TLS none are loaded, so that a container without certificates can watch plain HTTP.
            let builder = if settings.tls {
                builder
            } else {
                builder.tls_certs_only([])
            };
            builder
                .user_agent(USER_AGENT)
                .connect_timeout(settings.connect_timeout)
                .pool_max_idle_per_host(0)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
        };
        Ok(Self {
            stream: builder().build()?,
            post: builder().http1_only().build()?,
            headers,
            bearer_token_file: settings.bearer_token_file.clone(),
            answer_timeout: settings.connect_timeout,
        })
    }

    /// GETs the stream, or POSTs where the request has a body; answers with the head, and the body to read on.
    pub async fn open(self, request: Request) -> Result<(Answer, Response), Cause> {
        let method = if request.body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let request = self.build(&self.stream, method, request).await?;
        let response = self
            .stream
            .execute(request)
            .await
            .map_err(|error| cause::of_request(&error))?;
        Ok((head(&response), response))
    }

    /// POSTs, or DELETEs where there is no body; reads the whole answer.
    pub async fn send(self, request: Request) -> Result<Answer, Cause> {
        let method = if request.body.is_some() {
            Method::POST
        } else {
            Method::DELETE
        };
        let request = self.build(&self.post, method, request).await?;
        let exchange = async {
            let response = self
                .post
                .execute(request)
                .await
                .map_err(|error| cause::of_request(&error))?;
            let mut answer = head(&response);
            answer.body = body(response).await?;
            Ok(answer)
        };
        // Connecting has its own, earlier limit; this one is for the answer.
        let limit = 2 * self.answer_timeout;
        tokio::time::timeout(limit, exchange)
            .await
            .unwrap_or(Err(Cause::AnswerTimeout))
    }

    async fn build(
        &self,
        client: &reqwest::Client,
        method: Method,
        request: Request,
    ) -> Result<reqwest::Request, Cause> {
        let mut builder = client
            .request(method, request.url)
            .headers(self.headers.clone());
        if let Some(file) = &self.bearer_token_file {
            builder = builder.bearer_auth(token(file)?);
        }
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        builder.build().map_err(|_| Cause::Other)
    }
}

/// Makes ring the process's cryptography: reqwest takes the default, and panics where there is none.
pub fn install_crypto() {
    // A second call finds it installed, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// Why no client could be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A configured header is malformed.
    #[error("header {0:?} is malformed")]
    Header(String),
    /// reqwest refused.
    #[error("cannot set up the HTTP client: {}", causes(.0))]
    Client(#[from] reqwest::Error),
}

/// An error and its sources on one line: reqwest's own text says only that building failed.
fn causes(error: &reqwest::Error) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| {
        error.source()
    });
    chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// A small local file, so it is read in place.
fn token(file: &std::path::Path) -> Result<String, Cause> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        tracing::error!(file = %file.display(), %error, "cannot read the bearer token");
        Cause::Other
    })?;
    Ok(text.trim().to_owned())
}

fn head(response: &Response) -> Answer {
    let text = |name: HeaderName| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let content_type = text(CONTENT_TYPE).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default();
    Answer {
        status: response.status().as_u16(),
        content_type: media_type.trim().to_ascii_lowercase(),
        session: text(HeaderName::from_static("mcp-session-id")).map(str::to_owned),
        cookies: response
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect(),
        retry_after: text(RETRY_AFTER)
            .and_then(|value| value.parse().ok())
            .map(Duration::from_secs),
        body: Bytes::new(),
    }
}

/// Reads up to [`BODY_MAX`]; what lies beyond is of no interest.
async fn body(mut response: Response) -> Result<Bytes, Cause> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| cause::of_body(&error))?
    {
        let room = BODY_MAX.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() == BODY_MAX {
            break;
        }
    }
    Ok(body.freeze())
}
