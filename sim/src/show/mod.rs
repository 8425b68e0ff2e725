//! A record for people and programs: in words, as JSON lines, as a capture, as a timeline. The run knows nothing of it.

mod json;
pub mod pcap;
pub mod perfetto;
pub mod reading;
pub mod recorded;
pub mod words;
