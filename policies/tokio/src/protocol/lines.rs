//! Lines of text, each ended by a line feed: `PING` and `PONG` for heartbeats, as IRC and NATS have them, and the empty line
//! for one that wants no answer, as STOMP has it.

use std::io;

use bytes::BytesMut;

use super::{Incoming, Protocol, nonsense};

/// Messages as lines of UTF-8. Both ends may ask with the one word and answer with the other; any other line is a message.
#[derive(Clone, Debug)]
pub struct Lines {
    ping: String,
    pong: String,
    longest: usize,
    /// How far the input has been searched for a line's end.
    searched: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

impl Lines {
    /// Returns the protocol with the words `PING` and `PONG`, and lines of at most 64 KiB.
    pub fn new() -> Self {
        Self { ping: "PING".into(), pong: "PONG".into(), longest: 65_536, searched: 0 }
    }

    /// Sets the line that asks whether the other end lives, and the one that answers it.
    ///
    /// # Panics
    ///
    /// Where they are equal, empty, or no lines.
    #[must_use]
    pub fn with_heartbeat(self, ping: impl Into<String>, pong: impl Into<String>) -> Self {
        let (ping, pong) = (ping.into(), pong.into());
        let is_line = |word: &str| !word.is_empty() && !word.contains(['\r', '\n']);
        assert!(ping != pong && is_line(&ping) && is_line(&pong), "{ping:?} and {pong:?} are not two lines");
        Self { ping, pong, ..self }
    }

    /// Sets the most bytes that a line may have. A longer one ends the connection.
    #[must_use]
    pub fn with_longest(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    fn write(line: &str, out: &mut BytesMut) {
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\n");
    }
}

impl Protocol for Lines {
    type Message = String;

    fn heartbeat(&mut self, _: u32, out: &mut BytesMut) {
        Self::write(&self.ping, out);
    }

    fn notice(&mut self, out: &mut BytesMut) {
        Self::write("", out);
    }

    fn encode(&mut self, message: String, out: &mut BytesMut) -> io::Result<()> {
        let is_taken = message.is_empty() || message == self.ping || message == self.pong;
        if is_taken || message.len() > self.longest || message.contains(['\r', '\n']) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a message is one line, and none of a heartbeat's",
            ));
        }
        Self::write(&message, out);
        Ok(())
    }

    fn decode(&mut self, input: &mut BytesMut, answer: &mut BytesMut) -> io::Result<Option<Incoming<String>>> {
        let end = input[self.searched..].iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
        if end.unwrap_or(input.len()) > self.longest + 1 {
            return Err(nonsense("a line is too long"));
        }
        let Some(end) = end else {
            self.searched = input.len();
            return Ok(None);
        };
        self.searched = 0;
        let line = input.split_to(end + 1);
        let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
        let line = std::str::from_utf8(line).map_err(nonsense)?;
        Ok(Some(if line == self.ping {
            Self::write(&self.pong, answer);
            Incoming::Ping
        } else if line == self.pong {
            Incoming::Reply { id: None }
        } else if line.is_empty() {
            Incoming::Ping
        } else {
            Incoming::Message(line.to_owned())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(lines: &mut Lines, text: &str) -> (Vec<Incoming<String>>, BytesMut, BytesMut) {
        let (mut input, mut answer, mut found) = (BytesMut::from(text), BytesMut::new(), Vec::new());
        while let Some(incoming) = lines.decode(&mut input, &mut answer).unwrap() {
            found.push(incoming);
        }
        (found, input, answer)
    }

    #[test]
    fn lines_are_messages_but_for_those_of_heartbeats() {
        let (found, rest, answer) = decode(&mut Lines::new(), "hello\r\nPONG\nPING\n\nhalf a li");
        let message = Incoming::Message("hello".to_owned());
        assert_eq!(found, [message, Incoming::Reply { id: None }, Incoming::Ping, Incoming::Ping]);
        assert_eq!((&rest[..], &answer[..]), (&b"half a li"[..], &b"PONG\n"[..]));
    }

    #[test]
    fn what_is_written_is_read_and_what_would_be_taken_for_another_is_refused() {
        let (mut lines, mut out) = (Lines::new().with_heartbeat("?", "!"), BytesMut::new());
        lines.heartbeat(0, &mut out);
        lines.notice(&mut out);
        lines.encode("PING".into(), &mut out).unwrap();
        assert_eq!(&out[..], b"?\n\nPING\n");
        for message in ["", "?", "!", "two\nlines", "two\rlines"] {
            assert!(lines.encode(message.into(), &mut out).is_err(), "{message:?}");
        }
    }

    #[test]
    fn a_line_has_a_longest() {
        let mut lines = Lines::new().with_longest(4);
        assert!(lines.encode("five5".into(), &mut BytesMut::new()).is_err());
        assert_eq!(decode(&mut lines, "four\r\n").0, [Incoming::Message("four".to_owned())]);
        assert!(lines.decode(&mut BytesMut::from("without end"), &mut BytesMut::new()).is_err());
        assert!(lines.decode(&mut BytesMut::from("longer\n"), &mut BytesMut::new()).is_err());
        assert!(Lines::new().decode(&mut BytesMut::from(&b"\xff\n"[..]), &mut BytesMut::new()).is_err());
    }
}
