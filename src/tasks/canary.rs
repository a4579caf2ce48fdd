//! One canary slot on real sockets: does what the machine says and tells it what happened.
//!
//! It decides nothing. Every wait is in one `select!`, whose arms are cancel-safe: reading a chunk loses
//! nothing when another arm wins, and requests in flight live outside of it.

use std::future::{Future, pending};
use std::pin::Pin;

use tokio_util::sync::CancellationToken;

use super::clock;
use super::dial::Told;
use super::http::Http;
use super::stream::Stream;
use crate::canary::ending::Cause;
use crate::canary::machine::{Canary, Do, Input, Output};
use crate::canary::protocol::Answer;
use crate::canary::{Event, Settings};

type InFlight<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Holds one stream until `stop`; every event goes to `record`.
pub async fn run(
    settings: Settings,
    http: Http,
    stop: CancellationToken,
    mut record: impl FnMut(&Event),
) {
    let mut canary = Canary::new(settings, clock::now(), fastrand::u64(..));
    let mut wire = Wire::new(http);
    let mut stopping = false;
    while !canary.is_over() {
        let input = tokio::select! {
            biased;
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                Input::Stop
            }
            input = wire.next() => input,
            () = clock::sleep_until(canary.deadline()) => Input::Tick,
        };
        wire.told.take().iter().for_each(&mut record);
        for output in canary.handle(clock::now(), input) {
            match output {
                Output::Do(action) => wire.perform(action),
                Output::Tell(event) => record(&event),
            }
        }
    }
}

/// The stream, the request for it, and the one request beside it.
struct Wire {
    http: Http,
    opening: InFlight<Result<(Answer, Stream), Cause>>,
    /// What the request for the stream told on the way, be it answered or abandoned.
    told: Told,
    stream: Option<Stream>,
    beside: InFlight<Result<Answer, Cause>>,
}

impl Wire {
    fn new(http: Http) -> Self {
        Self {
            http,
            opening: None,
            told: Told::default(),
            stream: None,
            beside: None,
        }
    }

    fn perform(&mut self, action: Do) {
        match action {
            Do::Open(request) => {
                self.stream = None;
                self.opening = Some(Box::pin(self.http.clone().open(request, self.told.clone())));
            }
            Do::Post(request) | Do::Delete(request) => {
                self.beside = Some(Box::pin(self.http.clone().send(request)));
            }
            Do::Close => (self.opening, self.stream) = (None, None),
            Do::Abandon => self.beside = None,
        }
    }

    /// Whatever happens next. Pending for ever where nothing is under way.
    async fn next(&mut self) -> Input {
        tokio::select! {
            biased;
            opened = poll(&mut self.opening) => {
                self.opening = None;
                match opened {
                    Ok((answer, stream)) => {
                        self.stream = Some(stream);
                        Input::Opened(answer)
                    }
                    Err(cause) => Input::OpenFailed(cause),
                }
            }
            replied = poll(&mut self.beside) => {
                self.beside = None;
                replied.map_or_else(Input::ReplyFailed, Input::Replied)
            }
            chunk = chunk(&mut self.stream) => {
                if matches!(chunk, Input::Ended(_)) {
                    // Not to be asked again once it has ended.
                    self.stream = None;
                }
                chunk
            }
        }
    }
}

async fn poll<T>(in_flight: &mut InFlight<T>) -> T {
    match in_flight {
        Some(request) => request.await,
        None => pending().await,
    }
}

async fn chunk(stream: &mut Option<Stream>) -> Input {
    match stream {
        Some(stream) => stream.chunk().await.map_or_else(Input::Ended, Input::Chunk),
        None => pending().await,
    }
}
