//! shell
#![allow(missing_docs)]
pub mod canary;
pub mod cause;
pub mod clock;
pub mod http;
