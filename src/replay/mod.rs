//! What `holter replay` makes of logs that are read to their end: one answer a line, or one report.
//!
//! Pure: it opens no file and reads no clock. [`times`] turns the logs' own times into the reader's,
//! [`coverage`] knows when the error log speaks, [`each`] keeps answers in order, [`tally`] counts,
//! [`clusters`] finds ages that repeat, and [`report`] is what [`text`] and JSON show.

pub mod ages;
pub mod clusters;
pub mod coverage;
pub mod each;
pub mod gaps;
pub mod report;
pub mod span;
pub mod tally;
pub mod text;
pub mod times;
pub mod units;
