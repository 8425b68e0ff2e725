//! What cardiogram's tests share. Each test's claim is in its own file; nothing here asserts what the lab should do but
//! [`common::kept`], which says what a promise means for a run.

pub mod committed;
pub mod common;
pub mod entries;
pub mod faulty;
pub mod findings;
pub mod place;
pub mod script;
pub mod worlds;
