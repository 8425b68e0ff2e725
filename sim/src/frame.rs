//! The application's protocol on the TCP stream: small frames of a kind, a length and a body, padded to the sizes that the
//! scenario names. Not a real product's protocol: its sizes and exchanges are what counts.

use std::time::Duration;

use cardiogram_policies::Time;

use crate::config::FrameSizes;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The client introduces itself and says which message of the server it expects next.
    Hello { device: u32, expects: u32 },
    /// The server accepts it, and may direct the heartbeat interval.
    Welcome { interval: Option<Duration> },
    /// Are you there?
    Heartbeat { id: u16 },
    /// I am.
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
    /// I am here: a heartbeat that wants no answer, of a heartbeat's size.
    Notice,
    /// The client introduces a connection that is no session and carries heartbeats only; of a hello's size, answered by
    /// a welcome.
    ProbeHello { device: u32 },
}

/// Kind (1 byte) and length of the whole frame (2 bytes, big endian).
const HEADER: usize = 3;

impl Frame {
    /// The smallest size of each frame, in the order of [`FrameSizes`].
    pub(crate) const MIN: FrameSizes =
        FrameSizes { hello: 11, welcome: 7, heartbeat: 5, reply: 5, message: 15, ack: 7 };
    /// The smallest size of a login's frames.
    pub(crate) const CHALLENGE_MIN: u16 = 6;
    pub(crate) const RESPONSE_MIN: u16 = 4;
    /// The smallest size of a signal.
    pub(crate) const WAKEUP_MIN: u16 = 4;
    /// The largest size of a frame: above it, a frame is a file.
    pub(crate) const MAX: u16 = 16_384;

    /// Appends the frame's bytes, padded to its size.
    pub(crate) fn encode(&self, sizes: &FrameSizes, out: &mut Vec<u8>) {
        let (kind, size) = match self {
            Self::Hello { .. } => (1, sizes.hello),
            Self::Welcome { .. } => (2, sizes.welcome),
            Self::Heartbeat { .. } => (3, sizes.heartbeat),
            Self::Reply { .. } => (4, sizes.reply),
            Self::Message { .. } => (5, sizes.message),
            Self::Ack { .. } => (6, sizes.ack),
            Self::Challenge { size, .. } => (7, *size),
            Self::Response { size, .. } => (8, *size),
            Self::Wakeup { size } => (9, *size),
            Self::Notice => (20, sizes.heartbeat),
            Self::ProbeHello { .. } => (21, sizes.hello),
        };
        let end = out.len() + usize::from(size);
        out.push(kind);
        out.extend(size.to_be_bytes());
        match *self {
            Self::Hello { device, expects } => {
                out.extend(device.to_be_bytes());
                out.extend(expects.to_be_bytes());
            }
            Self::Welcome { interval } => {
                let millis = interval.map_or(0, |interval| interval.as_millis() as u32);
                out.extend(millis.to_be_bytes());
            }
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
            Self::Wakeup { .. } | Self::Notice => {}
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
        let long = |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        let word = || u16::from_be_bytes([body[0], body[1]]);
        let frame = match kind {
            1 => Self::Hello { device: long(0), expects: long(4) },
            2 => Self::Welcome { interval: (long(0) > 0).then(|| Duration::from_millis(u64::from(long(0)))) },
            3 => Self::Heartbeat { id: word() },
            4 => Self::Reply { id: word() },
            5 => {
                Self::Message { id: long(0), created: Time::from_micros(u64::from(long(4)) << 32 | u64::from(long(8))) }
            }
            6 => Self::Ack { id: long(0) },
            7 => Self::Challenge { step: body[0], size, answer: u16::from_be_bytes([body[1], body[2]]) },
            8 => Self::Response { step: body[0], size },
            9 => Self::Wakeup { size },
            20 => Self::Notice,
            21 => Self::ProbeHello { device: long(0) },
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
            (Frame::Hello { device: 7, expects: 12 }, sizes.hello),
            (Frame::Welcome { interval: None }, sizes.welcome),
            (Frame::Welcome { interval: Some(Duration::from_secs(300)) }, sizes.welcome),
            (Frame::Heartbeat { id: 65_535 }, sizes.heartbeat),
            (Frame::Reply { id: 3 }, sizes.reply),
            (Frame::Message { id: 9, created: Time::from_micros(u64::MAX - 5) }, sizes.message),
            (Frame::Ack { id: 9 }, sizes.ack),
            (Frame::Challenge { step: 1, size: 3_000, answer: 300 }, 3_000),
            (Frame::Challenge { step: 0, size: Frame::CHALLENGE_MIN, answer: 4 }, Frame::CHALLENGE_MIN),
            (Frame::Response { step: 7, size: Frame::RESPONSE_MIN }, Frame::RESPONSE_MIN),
            (Frame::Wakeup { size: Frame::WAKEUP_MIN }, Frame::WAKEUP_MIN),
            (Frame::Notice, sizes.heartbeat),
            (Frame::ProbeHello { device: 7 }, sizes.hello),
        ];
        for sizes in [sizes, Frame::MIN] {
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
