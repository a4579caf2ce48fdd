//! The page's fifth question: which setting to change. Asked only where ends repeat, so that a time-out is suspected.
//!
//! Owns how a suspicion and its candidates read. Which settings those are, `verdict` knows.

use super::html::Html;
use super::{Status, SuspectedTimeout, words};

/// 5. Which setting should I change? Nothing while no time-out is suspected.
pub(super) fn section(status: &Status) -> Html {
    let rows: Vec<_> = status
        .legs
        .iter()
        .filter_map(|leg| {
            let found = leg.suspected_timeout.as_ref()?;
            let name = format!("{}, {} leg", leg.canary, leg.leg);
            let after = words::time_out(found);
            Some([Html::text(&name), Html::text(&after), candidates(found)])
        })
        .collect();
    if rows.is_empty() {
        return Html::default();
    }
    let columns = ["Leg", "Streams end after", "Settings with this default"];
    Html::section("Which setting cuts them?", Html::table(columns, rows))
}

fn candidates(found: &SuspectedTimeout) -> Html {
    if found.candidates.is_empty() {
        let none = Html::fixed("none known: look for this value in what is on the way");
        return Html::classed("span", "quiet", none);
    }
    let items = found.candidates.iter().map(|setting| {
        let name = setting.to_string();
        Html::tag("li", Html::link(setting.source, &name))
    });
    Html::tag("ul", Html::all(items))
}
