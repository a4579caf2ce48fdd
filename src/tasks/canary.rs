//! One canary slot on real sockets: does what the machine says and tells it what happened.
//!
//! It decides nothing. Every wait is in one `select!`, whose arms are cancel-safe: reading a chunk loses
//! nothing when another arm wins, and requests in flight live outside of it.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::dial::Told;
use super::http::Http;
use super::stream::Stream;
use crate::canary::ending::Cause;
use crate::canary::machine::{Canary, Do, Input, Output};
use crate::canary::protocol::Answer;
use crate::canary::protocol::websocket::Frame;
use crate::canary::{Event, Settings, Transport};

type InFlight<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// What a stream hears of others.
#[derive(Debug, Default)]
pub struct Hearsay {
    /// In which era the streams of the same leg found the server.
    pub era: Arc<Era>,
    /// For a proxy leg, how often the direct leg learned that the server beats.
    pub server_beats: Option<watch::Receiver<Option<Duration>>>,
}

/// The era that `auto` found, for all streams of a leg.
#[derive(Debug, Default)]
pub struct Era(Mutex<Option<Transport>>);

impl Era {
    fn get(&self) -> Option<Transport> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a stream found before, and what now: one that has to find out anew takes back only what it had found.
    fn learn(&self, before: Option<Transport>, now: Option<Transport>) {
        let mut era = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.is_some() || *era == before {
            *era = now;
        }
    }
}

/// Holds one stream until `stop`; every event goes to `record`.
pub async fn run(
    settings: Settings,
    http: Http,
    hearsay: Hearsay,
    stop: CancellationToken,
    mut record: impl FnMut(&Event),
) {
    let Hearsay {
        era,
        mut server_beats,
    } = hearsay;
    let mut canary = Canary::new(settings, clock::now(), fastrand::u64(..));
    let mut wire = Wire::new(http);
    let mut alarm = clock::Alarm::default();
    let mut stopped = pin!(stop.cancelled());
    let mut stopping = false;
    while !canary.is_over() {
        let input = tokio::select! {
            biased;
            () = &mut stopped, if !stopping => {
                stopping = true;
                Input::Stop
            }
            input = wire.next() => input,
            interval = learned(&mut server_beats) => Input::ServerBeats(interval),
            () = alarm.at(canary.deadline()) => Input::Tick,
        };
        wire.told.take().iter().for_each(&mut record);
        let found = canary.found();
        if found.is_none() {
            canary.origin_speaks(era.get());
        }
        for output in canary.handle(clock::now(), input) {
            match output {
                Output::Do(action) => wire.perform(action),
                Output::Tell(event) => record(&event),
            }
        }
        if canary.found() != found {
            era.learn(found, canary.found());
        }
    }
    wire.farewell().await;
}

/// The stream, the request for it, and the one request beside it.
struct Wire {
    http: Http,
    opening: InFlight<Result<(Answer, Option<Stream>), Cause>>,
    /// What the request for the stream told on the way, be it answered or abandoned.
    told: Told,
    stream: Option<Stream>,
    beside: InFlight<Result<Answer, Cause>>,
    /// A WebSocket that is being closed.
    leaving: InFlight<()>,
}

impl Wire {
    fn new(http: Http) -> Self {
        Self {
            http,
            opening: None,
            told: Told::default(),
            stream: None,
            beside: None,
            leaving: None,
        }
    }

    fn perform(&mut self, action: Do) {
        match action {
            Do::Open(request) => {
                self.stream = None;
                self.opening = Some(Box::pin(self.http.clone().open(request, self.told.clone())));
            }
            Do::Upgrade(request) => {
                self.opening = Some(Box::pin(
                    self.http.clone().upgrade(request, self.told.clone()),
                ));
            }
            Do::Say(text) => {
                if let Some(stream) = &mut self.stream {
                    stream.say(text);
                }
            }
            Do::Post(request) | Do::Delete(request) => {
                self.beside = Some(Box::pin(self.http.clone().send(request)));
            }
            Do::Close => {
                self.opening = None;
                self.leave();
            }
            Do::Abandon => self.beside = None,
        }
    }

    /// Whatever happens next. Pending for ever where nothing is under way.
    async fn next(&mut self) -> Input {
        loop {
            return tokio::select! {
                biased;
                () = poll(&mut self.leaving) => {
                    self.leaving = None;
                    continue;
                }
                opened = poll(&mut self.opening) => {
                    self.opening = None;
                    match opened {
                        Ok((answer, stream)) => {
                            self.stream = stream;
                            Input::Opened(answer)
                        }
                        Err(cause) => Input::OpenFailed(cause),
                    }
                }
                replied = poll(&mut self.beside) => {
                    self.beside = None;
                    replied.map_or_else(Input::ReplyFailed, Input::Replied)
                }
                input = next(&mut self.stream) => {
                    match input {
                        // Not to be asked again once it has ended.
                        Input::Ended(_) => self.stream = None,
                        Input::Frame(Frame::Close(_)) => self.leave(),
                        _ => {}
                    }
                    input
                }
            };
        }
    }

    fn leave(&mut self) {
        if let Some(leaving) = self.stream.take().and_then(Stream::leave) {
            self.leaving = Some(Box::pin(leaving));
        }
    }

    /// Lets a WebSocket that is being closed come to its end, which is limited.
    async fn farewell(mut self) {
        if let Some(leaving) = &mut self.leaving {
            leaving.await;
        }
    }
}

/// The interval, once it is another. Pending for ever where nobody is left to learn one.
async fn learned(server_beats: &mut Option<watch::Receiver<Option<Duration>>>) -> Option<Duration> {
    while let Some(interval) = server_beats {
        match interval.changed().await {
            Ok(()) => return *interval.borrow_and_update(),
            Err(_) => *server_beats = None,
        }
    }
    pending().await
}

async fn poll<T>(in_flight: &mut InFlight<T>) -> T {
    match in_flight {
        Some(request) => request.await,
        None => pending().await,
    }
}

async fn next(stream: &mut Option<Stream>) -> Input {
    match stream {
        Some(stream) => stream.next().await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While replicas are replaced one by one, streams find different eras at once.
    #[test]
    fn a_stream_takes_back_only_what_it_found() {
        let (old, new) = (Transport::StreamableHttp, Transport::Listen);
        let era = Era::default();
        era.learn(None, Some(old));
        assert_eq!(era.get(), Some(old));
        era.learn(Some(old), None);
        assert_eq!(era.get(), None);
        era.learn(None, Some(new));
        era.learn(Some(old), None);
        assert_eq!(era.get(), Some(new));
    }
}
