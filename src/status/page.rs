//! The status page: one self-contained HTML document, readable at 3 a.m. and on a phone.
//!
//! Owns the frame: head, verdict, order of the sections, foot. Needs no script and loads nothing, so
//! the Content-Security-Policy it is served with can forbid both. Judges nothing.

use super::headline::{Mood, headline};
use super::html::Html;
use super::{Status, sections, settings, words};

const HEAD: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
    "<meta name=\"color-scheme\" content=\"light dark\">\n",
    "<meta http-equiv=\"refresh\" content=\"5\">\n<title>Holter</title>\n<style>\n",
    include_str!("page.css"),
    "</style>\n</head>\n<body>\n<main>\n",
);

/// The whole page.
pub fn render(status: &Status) -> String {
    let page = Html::all([
        Html::fixed(HEAD),
        verdict(status),
        sections::streams(status),
        sections::ends(status),
        sections::heartbeats(status),
        sections::affinity(status),
        settings::section(status),
        sections::sources(status),
        Html::fixed("</main>\n"),
        foot(status),
        Html::fixed("</body>\n</html>\n"),
    ]);
    page.into_string()
}

fn verdict(status: &Status) -> Html {
    let headline = headline(status);
    let mood = match headline.mood {
        Mood::Well => "verdict well",
        Mood::Ill => "verdict ill",
        Mood::NotWatched => "verdict unsure",
    };
    let mut sentences = headline.sentences.iter();
    let first = sentences.next().map_or("", String::as_str);
    let rest = sentences.map(|sentence| Html::tag("p", Html::text(sentence)));
    let lines = Html::all([Html::tag("h1", Html::text(first)), Html::all(rest)]);
    Html::all([Html::classed("header", mood, lines), Html::fixed("\n")])
}

fn foot(status: &Status) -> Html {
    let told = format!(
        "Holter {}, started {}; counts and longest silences are since then. As of {} UTC, renewed every 5 s. ",
        status.version,
        words::ago_at(status.started_at, status.at),
        words::time_of_day(status.at),
    );
    let links = "<a href=\"metrics\">metrics</a> <a href=\"api/v1/status\">this page as JSON</a>";
    let inner = Html::all([Html::text(&told), Html::fixed(links)]);
    Html::all([Html::tag("footer", inner), Html::fixed("\n")])
}
