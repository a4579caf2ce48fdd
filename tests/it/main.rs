//! Everything that tests the library from outside, in one binary: one link instead of many.

mod status;
