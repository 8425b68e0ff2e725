//! Frames of a length and a content, as many protocols over TCP have them. What asks and what answers is a content of its
//! own.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Incoming, Protocol, nonsense};

/// The bytes before a frame's content: its length, big endian.
const HEADER: usize = 4;

/// Messages as frames of four bytes of length, big endian, and so many bytes of content. The empty frame is a heartbeat
/// that wants no answer.
#[derive(Clone, Debug)]
pub struct LengthDelimited {
    ping: Bytes,
    pong: Bytes,
    longest: usize,
}

impl Default for LengthDelimited {
    fn default() -> Self {
        Self::new()
    }
}

impl LengthDelimited {
    /// Returns the protocol with the contents `ping` and `pong`, and contents of at most 1 MiB.
    pub const fn new() -> Self {
        Self { ping: Bytes::from_static(b"ping"), pong: Bytes::from_static(b"pong"), longest: 1 << 20 }
    }

    /// Sets the content that asks whether the other end lives, and the one that answers it.
    ///
    /// # Panics
    ///
    /// Where they are equal, or one is empty.
    #[must_use]
    pub fn with_heartbeat(self, ping: impl Into<Bytes>, pong: impl Into<Bytes>) -> Self {
        let (ping, pong) = (ping.into(), pong.into());
        assert!(ping != pong && !ping.is_empty() && !pong.is_empty(), "two contents that can be told apart");
        Self { ping, pong, ..self }
    }

    /// Sets the most bytes that a frame's content may have. A longer one ends the connection.
    #[must_use]
    pub fn with_longest(self, longest: u32) -> Self {
        Self { longest: longest as usize, ..self }
    }

    fn write(content: &[u8], out: &mut BytesMut) {
        out.put_u32(u32::try_from(content.len()).expect("contents have a longest"));
        out.put_slice(content);
    }
}

impl Protocol for LengthDelimited {
    type Message = Bytes;

    fn heartbeat(&mut self, _: u32, out: &mut BytesMut) {
        Self::write(&self.ping, out);
    }

    fn notice(&mut self, out: &mut BytesMut) {
        Self::write(&[], out);
    }

    fn encode(&mut self, message: Bytes, out: &mut BytesMut) -> io::Result<()> {
        let is_taken = message.is_empty() || message == self.ping || message == self.pong;
        if is_taken || message.len() > self.longest {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message is not empty, too long or a heartbeat"));
        }
        Self::write(&message, out);
        Ok(())
    }

    fn decode(&mut self, input: &mut BytesMut, answer: &mut BytesMut) -> io::Result<Option<Incoming<Bytes>>> {
        let Some(header) = input.first_chunk::<HEADER>() else { return Ok(None) };
        let length = u32::from_be_bytes(*header) as usize;
        if length > self.longest {
            return Err(nonsense(format!("a frame of {length} bytes is too long")));
        }
        if input.len() < HEADER + length {
            return Ok(None);
        }
        input.advance(HEADER);
        let content = input.split_to(length).freeze();
        Ok(Some(if content == self.ping {
            Self::write(&self.pong, answer);
            Incoming::Ping
        } else if content == self.pong {
            Incoming::Reply { id: None }
        } else if content.is_empty() {
            Incoming::Ping
        } else {
            Incoming::Message(content)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_messages_but_for_those_of_heartbeats() {
        let mut protocol = LengthDelimited::new();
        let (mut bytes, mut answer) = (BytesMut::new(), BytesMut::new());
        protocol.encode(Bytes::from_static(b"hello"), &mut bytes).unwrap();
        protocol.heartbeat(7, &mut bytes);
        protocol.notice(&mut bytes);
        LengthDelimited::write(b"pong", &mut bytes);
        bytes.extend_from_slice(&[0, 0, 0, 2, b'h']);
        let mut found = Vec::new();
        while let Some(incoming) = protocol.decode(&mut bytes, &mut answer).unwrap() {
            found.push(incoming);
        }
        let message = Incoming::Message(Bytes::from_static(b"hello"));
        assert_eq!(found, [message, Incoming::Ping, Incoming::Ping, Incoming::Reply { id: None }]);
        assert_eq!((bytes.len(), &answer[..]), (5, &b"\0\0\0\x04pong"[..]));
    }

    #[test]
    fn a_frame_has_a_longest_and_no_heartbeats_content() {
        let mut protocol = LengthDelimited::new().with_longest(4).with_heartbeat(&b"?"[..], &b"!"[..]);
        for message in ["", "?", "!", "five5"] {
            assert!(protocol.encode(Bytes::from(message), &mut BytesMut::new()).is_err(), "{message:?}");
        }
        let mut too_long = BytesMut::from(&[0, 0, 0, 5][..]);
        assert!(protocol.decode(&mut too_long, &mut BytesMut::new()).is_err());
    }
}
