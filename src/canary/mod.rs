//! Canary streams: streams that Holter itself opens and holds, to see what happens to them.
//!
//! Owns the names of the legs. Knows no socket and no clock.

use crate::label::label;

label! {
    /// The way by which a canary reaches its server. The two legs compared give a fault its side.
    pub enum Leg {
        /// Straight to the replica, past the proxy.
        Direct => "direct",
        /// Through the proxy, as clients go.
        Proxy => "proxy",
    }
}
