//! Promises: that strategies keep theirs, that checks find who does not, and that what they found can be seen again. One file
//! a question.

mod api;
mod findings;
mod findings_page;
mod judges;
mod presets;
mod promised;
mod replay;
mod selftest;
