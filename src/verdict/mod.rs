//! From evidence to advice: what an operator should look at, and where that is documented.
//!
//! | file | owns |
//! |---|---|
//! | [`settings`] | settings that are known to cut streams, with their defaults |

pub mod settings;
