//! The record of a link: everything that happens to it, in the form of the laboratory's records, so that the same programs
//! read and draw both.

use std::io::Write;

use cardiogram_policies::Time;
use serde::Serialize;

use crate::event::LinkEvent;

/// Takes down what happens to a link. A function of the two arguments is one.
pub trait Record: Send + 'static {
    /// Takes down an event, at this time since the link was made.
    fn note(&mut self, at: Time, event: &LinkEvent);
}

impl<F: FnMut(Time, &LinkEvent) + Send + 'static> Record for F {
    fn note(&mut self, at: Time, event: &LinkEvent) {
        self(at, event);
    }
}

/// A record as JSON lines, as `cardiogram trace --json` writes them; `cardiogram chart` draws it.
///
/// The connection waits for the writer, so let it be a file. A writer that fails ends the record, and nothing else.
#[derive(Debug)]
pub struct JsonLines<W> {
    /// `None` once it has failed.
    writer: Option<W>,
}

impl<W: Write> JsonLines<W> {
    /// Returns a record that is written to `writer`, a line an event.
    pub const fn new(writer: W) -> Self {
        Self { writer: Some(writer) }
    }
}

/// A line, with the names that the laboratory has for a world's only device.
#[derive(Serialize)]
struct Line<'a> {
    /// A decimal string, so that no reader rounds it.
    t_s: String,
    node: &'static str,
    what: &'static str,
    device: u32,
    event: &'a LinkEvent,
}

impl<W: Write + Send + 'static> Record for JsonLines<W> {
    fn note(&mut self, at: Time, event: &LinkEvent) {
        let line = Line { t_s: at.to_string(), node: "devices", what: event.what(), device: 0, event };
        let mut text = serde_json::to_string(&line).expect("plain data");
        text.push('\n');
        if self.writer.as_mut().is_some_and(|writer| writer.write_all(text.as_bytes()).is_err()) {
            self.writer = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_is_one_of_the_laboratorys() {
        let mut bytes = Vec::new();
        // A record is a sink for `'static` writers; the form is the same for any.
        let line = Line {
            t_s: Time::from_millis(3_282).to_string(),
            node: "devices",
            what: "device",
            device: 0,
            event: &LinkEvent::HeartbeatAnswered { id: 3, rtt: Duration::from_millis(40) },
        };
        serde_json::to_writer(&mut bytes, &line).unwrap();
        let expected = r#"{"t_s":"3.282000","node":"devices","what":"device","device":0,"event":{"heartbeat-answered":{"id":3,"rtt":{"secs":0,"nanos":40000000}}}}"#;
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_writer_that_fails_ends_the_record_and_nothing_else() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut record = JsonLines::new(Full);
        record.note(Time::ZERO, &LinkEvent::Suspect);
        assert!(record.writer.is_none());
        record.note(Time::ZERO, &LinkEvent::Trust);
    }
}
