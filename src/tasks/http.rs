//! The requests of the canaries: the stream on a connection that Holter owns, everything else by reqwest.
//!
//! Every request gets a fresh connection: a pooled one would go to the replica of the request before and
//! hide affinity misses, and silent retries would hide ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName,
    HeaderValue, RETRY_AFTER, SET_COOKIE, USER_AGENT as AGENT,
};
use http::{Method, StatusCode, Uri, Version};
use reqwest::Response;
use rustls::ClientConfig;
use url::Url;

use super::dial::{Dialer, Line, Told};
use super::stream::{Head, READ_BUFFER, READ_BUFFER_MAX, Stream};
use super::{cause, clock};
use crate::canary::Phase;
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
    /// Whom to trust, where the URL is `https`. Plain HTTP needs none, so that a container without
    /// certificates can watch it.
    pub tls: Option<ClientConfig>,
}

/// What the canaries of one leg ask with.
#[derive(Clone)]
pub struct Http {
    dialer: Dialer,
    post: reqwest::Client,
    headers: HeaderMap,
    bearer_token_file: Option<PathBuf>,
    answer_timeout: Duration,
    /// Small, as nearly all heads are, and streams may be a thousand; large once a head did not fit.
    read_buffer: Arc<AtomicUsize>,
}

impl Http {
    /// Prepares headers and clients.
    ///
    /// # Errors
    ///
    /// When a header is malformed (the configuration checks them).
    pub fn new(settings: &Settings) -> Result<Self, BuildError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let name = HeaderName::try_from(name).map_err(|_| BuildError::Header(name.clone()))?;
            let value =
                HeaderValue::try_from(value).map_err(|_| BuildError::Header(name.to_string()))?;
            headers.append(name, value);
        }
        headers
            .entry(AGENT)
            .or_insert(HeaderValue::from_static(USER_AGENT));
        Ok(Self {
            dialer: Dialer::new(settings.tls.as_ref(), settings.connect_timeout),
            post: post_client(settings)?,
            headers,
            bearer_token_file: settings.bearer_token_file.clone(),
            answer_timeout: settings.connect_timeout,
            read_buffer: Arc::new(AtomicUsize::new(READ_BUFFER)),
        })
    }

    /// GETs the stream, or POSTs where the request has a body; answers with the head, and the body to read on.
    /// What happens on the way goes to `told`.
    ///
    /// # Errors
    ///
    /// Why there is no stream.
    pub async fn open(
        self,
        request: Request,
        told: Told,
    ) -> Result<(Answer, Option<Stream>), Cause> {
        let buffer = self.read_buffer.load(Ordering::Relaxed);
        let mut opened = self.open_with(buffer, request.clone(), &told).await;
        if opened
            .as_ref()
            .is_err_and(|cause| *cause == Cause::LargeHead)
            && buffer < READ_BUFFER_MAX
        {
            self.read_buffer.store(READ_BUFFER_MAX, Ordering::Relaxed);
            opened = self.open_with(READ_BUFFER_MAX, request, &told).await;
        }
        let ((status, headers), stream) = opened?;
        Ok((head(status, &headers), Some(stream)))
    }

    async fn open_with(
        &self,
        buffer: usize,
        request: Request,
        told: &Told,
    ) -> Result<(Head, Stream), Cause> {
        let (line, request) = self.connect(&self.dialer, request, told).await?;
        let start = clock::now();
        let opened = Stream::open(line, request, buffer).await;
        told.phase(Phase::Headers, start);
        opened
    }

    /// GETs the upgrade to a WebSocket; answers with the head, and the WebSocket where it was granted.
    /// What happens on the way goes to `told`.
    ///
    /// # Errors
    ///
    /// Why there is no answer, or none that a client may accept.
    pub async fn upgrade(
        self,
        request: Request,
        told: Told,
    ) -> Result<(Answer, Option<Stream>), Cause> {
        let dialer = self.dialer.clone().h1_only();
        let (line, request) = self.connect(&dialer, request, &told).await?;
        let start = clock::now();
        let opened = Stream::upgrade(line, request).await;
        told.phase(Phase::Headers, start);
        let ((status, headers), stream) = opened?;
        Ok((head(status, &headers), stream))
    }

    /// A connection, and the request as it is said on it.
    async fn connect(
        &self,
        dialer: &Dialer,
        request: Request,
        told: &Told,
    ) -> Result<(Line, http::Request<String>), Cause> {
        let url = request.url.clone();
        let mut request = self.build(Method::GET, request)?;
        let line = dialer.dial(&url, told).await?;
        address(&mut request, &url, line.is_h2)?;
        Ok((line, request))
    }

    /// POSTs, or DELETEs where there is no body; reads the whole answer.
    pub async fn send(self, request: Request) -> Result<Answer, Cause> {
        let request = self.build(Method::DELETE, request)?;
        let request = reqwest::Request::try_from(request).map_err(|_| Cause::Other)?;
        let exchange = async {
            let response = self
                .post
                .execute(request)
                .await
                .map_err(|error| cause::of_request(&error))?;
            let mut answer = head(response.status(), response.headers());
            answer.body = body(response).await?;
            Ok(answer)
        };
        // Connecting has its own, earlier limit; this one is for the answer.
        let limit = 2 * self.answer_timeout;
        tokio::time::timeout(limit, exchange)
            .await
            .unwrap_or(Err(Cause::AnswerTimeout))
    }

    /// The request, to its absolute URL: POST where there is a body, else `bare`.
    fn build(&self, bare: Method, request: Request) -> Result<http::Request<String>, Cause> {
        let mut headers = self.headers.clone();
        if let Some(file) = &self.bearer_token_file {
            let value = format!("Bearer {}", token(file)?);
            let mut value = HeaderValue::try_from(value).map_err(|_| Cause::Other)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        for (name, value) in request.headers {
            let value = HeaderValue::try_from(value).map_err(|_| Cause::Other)?;
            headers.append(HeaderName::from_static(name), value);
        }
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("*/*"));
        let body = request.body;
        let method = if body.is_some() { Method::POST } else { bare };
        let mut built = http::Request::new(body.unwrap_or_default());
        *built.method_mut() = method;
        *built.uri_mut() = Uri::try_from(request.url.as_str()).map_err(|_| Cause::Other)?;
        *built.headers_mut() = headers;
        Ok(built)
    }
}

/// Names the server as the protocol on the line does: path and `Host` (RFC 9112 section 3.2), or the whole URL
/// and a length that h2 does not add.
fn address(request: &mut http::Request<String>, url: &Url, is_h2: bool) -> Result<(), Cause> {
    if is_h2 {
        *request.version_mut() = Version::HTTP_2;
        if !request.body().is_empty() {
            let length = HeaderValue::from(request.body().len());
            request.headers_mut().insert(CONTENT_LENGTH, length);
        }
        return Ok(());
    }
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let host = HeaderValue::try_from(host).map_err(|_| Cause::Other)?;
    request.headers_mut().entry(HOST).or_insert(host);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    Ok(())
}

fn post_client(settings: &Settings) -> Result<reqwest::Client, BuildError> {
    install_crypto();
    let builder = reqwest::Client::builder();
    let builder = match settings.tls.clone() {
        Some(mut tls) => {
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            builder.tls_backend_preconfigured(tls)
        }
        None => builder.tls_certs_only([]),
    };
    let builder = builder
        .http1_only()
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(0)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy();
    Ok(builder.build()?)
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
    /// The system's certificates cannot be loaded.
    #[error("cannot load the system's certificates: {0}")]
    Certificates(#[from] rustls::Error),
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

fn head(status: StatusCode, headers: &HeaderMap) -> Answer {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text(CONTENT_TYPE).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default();
    Answer {
        status: status.as_u16(),
        content_type: media_type.trim().to_ascii_lowercase(),
        session: text(HeaderName::from_static("mcp-session-id")).map(str::to_owned),
        cookies: headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect(),
        retry_after: text(RETRY_AFTER).and_then(|value| pause(value, text(DATE), clock::wall())),
        body: Bytes::new(),
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110 section 10.2.3). That is measured from the answer's own `Date`, where
/// it has one, for clocks differ.
fn pause(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let from = date.and_then(|date| httpdate::parse_http_date(date).ok());
    until.duration_since(from.unwrap_or(now)).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_a_delay_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let later = "Sun, 06 Nov 1994 08:51:17 GMT";
        let behind = "Sun, 06 Nov 1994 07:51:07 GMT";
        for (value, date, expected) in [
            ("100", None, Some(100)),
            ("0", None, Some(0)),
            (later, None, Some(100)),
            (later, Some("soon"), Some(100)),
            ("Sunday, 06-Nov-94 08:51:17 GMT", None, Some(100)),
            ("Sun Nov  6 08:51:17 1994", None, Some(100)),
            // The server's clock is an hour behind.
            ("Sun, 06 Nov 1994 07:51:17 GMT", Some(behind), Some(10)),
            (behind, None, None),
            ("-1", None, None),
            ("soon", None, None),
            ("", None, None),
        ] {
            let pause = pause(value, date, now);
            assert_eq!(
                pause,
                expected.map(Duration::from_secs),
                "{value:?} {date:?}"
            );
        }
    }
}
