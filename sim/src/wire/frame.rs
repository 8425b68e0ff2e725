//! The application's protocol on the TCP stream: small frames of a kind, a length and a body, padded to the sizes that the
//! scenario names. Not a real product's protocol: its sizes and exchanges are what counts.

use std::time::Duration;

use cardiogram_policies::Time;
use serde::{Deserialize, Serialize};

use crate::config::FrameSizes;

/// A frame of the application's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The client introduces itself and says which message of the server it expects next; where the server wants to know,
    /// also its heartbeat interval, and whether it would go on with its last session. What it does not say leaves no
    /// trace in the bytes.
    Hello { device: u32, expects: u32, announces: Option<Duration>, resumes: bool },
    /// The server accepts it, and may direct the heartbeat interval.
    Welcome { interval: Option<Duration> },
    /// A heartbeat: it asks for a reply.
    Heartbeat { id: u16 },
    /// The reply to the heartbeat with this id.
    Reply { id: u16 },
    /// A message of the application, numbered from 0 in each direction.
    Message { id: u32, created: Time },
    /// The message arrived at the application.
    Ack { id: u32 },
    /// The server's part of a round trip of the login: a frame of `size` bytes that wants an answer of `answer` bytes.
    Challenge { step: u8, size: u16, answer: u16 },
    /// The client's part of it, a frame of `size` bytes.
    Response { step: u8, size: u16 },
    /// There is something to fetch: the push service's signal, `size` bytes.
    Wakeup { size: u16 },
    /// The server asks whether the client is alive; of a heartbeat's size.
    Ping,
    /// The server is alive, and wants no answer; of a heartbeat's size.
    Alive,
    /// The client's answer to a ping; of a reply's size.
    Pong,
    /// The server directs the heartbeat interval.
    Direct { interval: Duration },
    /// The server is about to close the connection, and says why and for how long.
    Goodbye { reason: GoodbyeReason, retry_after: Option<Duration> },
    /// It makes no sense to the server; of a heartbeat's size.
    Malformed,
    /// I am here: a heartbeat that wants no answer, of a heartbeat's size.
    Notice,
    /// The client introduces a connection that is no session and carries heartbeats only; of a hello's size, answered by
    /// a welcome.
    ProbeHello { device: u32 },
}

/// What a server says when it closes a connection; most are closed without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoodbyeReason {
    /// The client's heartbeats come too often.
    TooManyPings,
    /// Too many others wait for their login.
    Busy,
    /// The session is too old, and will be closed.
    TooOld,
    /// A proxy has no way to the server: HTTP's 502 and 504.
    BadGateway,
    /// The device has a session, and may have no other (AMQP's 405, `RESOURCE_LOCKED`).
    InUse,
}

impl GoodbyeReason {
    /// Returns the byte that stands for it, on the wire and in the trace hash.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::TooManyPings => 0,
            Self::Busy => 1,
            Self::TooOld => 2,
            Self::BadGateway => 3,
            Self::InUse => 4,
        }
    }

    /// Returns the reason that such a byte stands for.
    fn of(code: u8) -> Self {
        let all = [Self::TooManyPings, Self::Busy, Self::TooOld, Self::BadGateway, Self::InUse];
        let of_code = all.into_iter().find(|reason| reason.code() == code);
        of_code.unwrap_or_else(|| panic!("goodbye for reason {code}: the transport delivered bytes that were not sent"))
    }

    /// Returns the reason in words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::TooManyPings => "too many pings",
            Self::Busy => "busy",
            Self::TooOld => "too old",
            Self::BadGateway => "bad gateway",
            Self::InUse => "in use",
        }
    }
}

/// Kind (1 byte) and length of the whole frame (2 bytes, big endian).
const HEADER: usize = 3;
/// The size of a hello that says more than who it is, at least.
const LONG_HELLO: u16 = 16;
/// The sizes of what the server says of its own accord.
const DIRECT: u16 = 7;
const GOODBYE: u16 = 8;

/// Returns a span in the whole milliseconds, rounded up, that a frame has for it; zero stands for none.
fn millis(span: Option<Duration>) -> [u8; 4] {
    u32::try_from(span.map_or(0, |span| span.as_micros().div_ceil(1_000))).unwrap_or(u32::MAX).to_be_bytes()
}

/// Returns what [`millis`] has written.
fn span(millis: u32) -> Option<Duration> {
    (millis > 0).then(|| Duration::from_millis(u64::from(millis)))
}

impl Frame {
    /// Returns whether the data of a segment are heartbeats, of the client or the server, and answers to them, and nothing
    /// else. (The segment begins with a frame; one that begins within another frame is none of these.)
    pub(crate) fn are_beats(mut data: &[u8]) -> bool {
        if data.is_empty() {
            return false;
        }
        while let [3 | 4 | 10 | 11 | 12 | 20, high, low, ..] = *data {
            let size = usize::from(u16::from_be_bytes([high, low])).max(HEADER);
            match data.get(size..) {
                Some(rest) => data = rest,
                None => return false,
            }
        }
        data.is_empty()
    }

    /// Appends the frame's bytes, padded to its size.
    pub(crate) fn encode(&self, sizes: &FrameSizes, out: &mut Vec<u8>) {
        let (kind, size) = match self {
            Self::Hello { announces: None, resumes: false, .. } => (1, sizes.hello),
            Self::Hello { .. } => (1, sizes.hello.max(LONG_HELLO)),
            Self::Welcome { .. } => (2, sizes.welcome),
            Self::Heartbeat { .. } => (3, sizes.heartbeat),
            Self::Reply { .. } => (4, sizes.reply),
            Self::Message { .. } => (5, sizes.message),
            Self::Ack { .. } => (6, sizes.ack),
            Self::Challenge { size, .. } => (7, *size),
            Self::Response { size, .. } => (8, *size),
            Self::Wakeup { size } => (9, *size),
            Self::Ping => (10, sizes.heartbeat),
            Self::Alive => (11, sizes.heartbeat),
            Self::Pong => (12, sizes.reply),
            Self::Direct { .. } => (13, DIRECT),
            Self::Goodbye { .. } => (14, GOODBYE),
            Self::Malformed => (15, sizes.heartbeat),
            Self::Notice => (20, sizes.heartbeat),
            Self::ProbeHello { .. } => (21, sizes.hello),
        };
        let end = out.len() + usize::from(size);
        out.push(kind);
        out.extend(size.to_be_bytes());
        match *self {
            Self::Hello { device, expects, announces, resumes } => {
                out.extend(device.to_be_bytes());
                out.extend(expects.to_be_bytes());
                if announces.is_some() || resumes {
                    out.extend(millis(announces));
                    out.push(u8::from(resumes));
                }
            }
            Self::Welcome { interval } => out.extend(millis(interval)),
            Self::Heartbeat { id } | Self::Reply { id } => out.extend(id.to_be_bytes()),
            Self::Message { id, created } => {
                out.extend(id.to_be_bytes());
                out.extend(created.as_micros().to_be_bytes());
            }
            Self::Ack { id } => out.extend(id.to_be_bytes()),
            Self::Challenge { step, answer, .. } => {
                out.push(step);
                out.extend(answer.to_be_bytes());
            }
            Self::Response { step, .. } => out.push(step),
            Self::Wakeup { .. } | Self::Ping | Self::Alive | Self::Pong | Self::Malformed | Self::Notice => {}
            Self::Direct { interval } => out.extend(millis(Some(interval))),
            Self::Goodbye { reason, retry_after } => {
                out.push(reason.code());
                out.extend(millis(retry_after));
            }
            Self::ProbeHello { device } => out.extend(device.to_be_bytes()),
        }
        assert!(out.len() <= end, "{self:?} does not fit {size} bytes");
        out.resize(end, 0);
    }

    /// Takes the first whole frame off `stream`; `None` while it is incomplete.
    ///
    /// Panics on bytes that no frame encodes to: only this module writes streams.
    pub(crate) fn take(stream: &mut Vec<u8>) -> Option<Self> {
        let [kind, high, low, body @ ..] = &stream[..] else { return None };
        let size = u16::from_be_bytes([*high, *low]);
        if stream.len() < usize::from(size) {
            return None;
        }
        let u32_at = |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        let u16_at = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
        let frame = match kind {
            1 if size < LONG_HELLO => {
                Self::Hello { device: u32_at(0), expects: u32_at(4), announces: None, resumes: false }
            }
            1 => {
                Self::Hello { device: u32_at(0), expects: u32_at(4), announces: span(u32_at(8)), resumes: body[12] > 0 }
            }
            2 => Self::Welcome { interval: span(u32_at(0)) },
            3 => Self::Heartbeat { id: u16_at(0) },
            4 => Self::Reply { id: u16_at(0) },
            5 => Self::Message {
                id: u32_at(0),
                created: Time::from_micros(u64::from(u32_at(4)) << 32 | u64::from(u32_at(8))),
            },
            6 => Self::Ack { id: u32_at(0) },
            7 => Self::Challenge { step: body[0], size, answer: u16_at(1) },
            8 => Self::Response { step: body[0], size },
            9 => Self::Wakeup { size },
            10 => Self::Ping,
            11 => Self::Alive,
            12 => Self::Pong,
            13 => Self::Direct { interval: span(u32_at(0)).unwrap_or_default() },
            14 => {
                let millis = u32_at(1);
                Self::Goodbye { reason: GoodbyeReason::of(body[0]), retry_after: span(millis) }
            }
            15 => Self::Malformed,
            20 => Self::Notice,
            21 => Self::ProbeHello { device: u32_at(0) },
            _ => panic!("frame kind {kind} in a stream: the transport delivered bytes that were not sent"),
        };
        assert!(usize::from(size) > HEADER, "frame of {size} bytes");
        stream.drain(..usize::from(size));
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_whole_and_have_their_size() {
        let sizes = FrameSizes::default();
        let frames = [
            (Frame::Hello { device: 7, expects: 12, announces: None, resumes: false }, sizes.hello),
            (Frame::Hello { device: 7, expects: 12, announces: None, resumes: true }, sizes.hello),
            (
                Frame::Hello { device: 7, expects: 12, announces: Some(Duration::from_secs(270)), resumes: false },
                sizes.hello,
            ),
            (Frame::Welcome { interval: None }, sizes.welcome),
            (Frame::Welcome { interval: Some(Duration::from_secs(300)) }, sizes.welcome),
            (Frame::Heartbeat { id: 65_535 }, sizes.heartbeat),
            (Frame::Reply { id: 3 }, sizes.reply),
            (Frame::Message { id: 9, created: Time::from_micros(u64::MAX - 5) }, sizes.message),
            (Frame::Ack { id: 9 }, sizes.ack),
            (Frame::Challenge { step: 1, size: 3_000, answer: 300 }, 3_000),
            (Frame::Challenge { step: 0, size: FrameSizes::CHALLENGE_MIN, answer: 4 }, FrameSizes::CHALLENGE_MIN),
            (Frame::Response { step: 7, size: FrameSizes::RESPONSE_MIN }, FrameSizes::RESPONSE_MIN),
            (Frame::Wakeup { size: FrameSizes::WAKEUP_MIN }, FrameSizes::WAKEUP_MIN),
            (Frame::Ping, sizes.heartbeat),
            (Frame::Alive, sizes.heartbeat),
            (Frame::Pong, sizes.reply),
            (Frame::Direct { interval: Duration::from_millis(41_250) }, DIRECT),
            (Frame::Goodbye { reason: GoodbyeReason::TooManyPings, retry_after: None }, GOODBYE),
            (Frame::Goodbye { reason: GoodbyeReason::Busy, retry_after: Some(Duration::from_secs(30)) }, GOODBYE),
            (Frame::Goodbye { reason: GoodbyeReason::TooOld, retry_after: None }, GOODBYE),
            (Frame::Goodbye { reason: GoodbyeReason::BadGateway, retry_after: None }, GOODBYE),
            (Frame::Malformed, sizes.heartbeat),
            (Frame::Notice, sizes.heartbeat),
            (Frame::ProbeHello { device: 7 }, sizes.hello),
        ];
        for sizes in [sizes, FrameSizes::MIN] {
            let mut stream = Vec::new();
            for (frame, _) in frames {
                frame.encode(&sizes, &mut stream);
            }
            for (frame, _) in frames {
                assert_eq!(Frame::take(&mut stream), Some(frame));
            }
            assert!(stream.is_empty());
        }
        for (frame, size) in frames {
            let mut stream = Vec::new();
            frame.encode(&sizes, &mut stream);
            assert_eq!(stream.len(), usize::from(size), "{frame:?}");
        }
    }

    #[test]
    fn an_incomplete_frame_waits() {
        let mut whole = Vec::new();
        Frame::Heartbeat { id: 1 }.encode(&FrameSizes::default(), &mut whole);
        for cut in 0..whole.len() {
            let mut part = whole[..cut].to_vec();
            assert_eq!(Frame::take(&mut part), None);
            assert_eq!(part.len(), cut);
        }
    }
}
