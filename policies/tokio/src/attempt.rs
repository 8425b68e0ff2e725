//! One attempt to connect: what whoever makes it has to know, and what it tells the reconnect policy while it is under way.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use cardiogram_policies::{AttemptFailure, Network};

use crate::protocol::Goodbye;

/// An attempt that is under way: handed to whoever makes the connection.
#[derive(Clone, Debug)]
pub struct Attempt {
    server: u32,
    port: u16,
    network: Network,
    resumes: bool,
    words: Arc<Mutex<Words>>,
}

/// What the policy has yet to be told, and what was told.
#[derive(Debug, Default)]
struct Words {
    is_established: bool,
    untold: Vec<Word>,
}

/// Something that is known of an attempt before it is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    Established,
    Goodbye { reason: Goodbye, retry_after: Option<Duration> },
}

impl Attempt {
    pub(crate) fn new(server: u32, port: u16, network: Network, resumes: bool) -> Self {
        Self { server, port, network, resumes, words: Arc::default() }
    }

    /// Returns the server to connect to.
    pub const fn server(&self) -> u32 {
        self.server
    }

    /// Returns the number that stands for the connection in records.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the network that the attempt is made over.
    pub const fn network(&self) -> Network {
        self.network
    }

    /// Returns whether this is the server of the last session.
    pub const fn resumes(&self) -> bool {
        self.resumes
    }

    /// Says that the transport's handshake is done, and the server's welcome is waited for. An attempt that is never told
    /// so counts as established when it succeeds.
    pub fn established(&self) {
        let mut words = self.words();
        if !std::mem::replace(&mut words.is_established, true) {
            words.untold.push(Word::Established);
        }
    }

    /// Says that the server turns the client away, and for how long; the attempt is about to fail.
    pub fn goodbye(&self, reason: Goodbye, retry_after: Option<Duration>) {
        self.words().untold.push(Word::Goodbye { reason, retry_after });
    }

    pub(crate) fn take_words(&self) -> Vec<Word> {
        std::mem::take(&mut self.words().untold)
    }

    /// Returns what an error means that ended the attempt.
    pub(crate) fn failure(&self, error: &io::Error) -> AttemptFailure {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::NetworkDown | Kind::NetworkUnreachable | Kind::AddrNotAvailable | Kind::ConnectionAborted => {
                AttemptFailure::NoNetwork
            }
            Kind::TimedOut => AttemptFailure::Timeout,
            _ if self.words().is_established => AttemptFailure::Dropped,
            Kind::ConnectionRefused => AttemptFailure::Refused,
            Kind::ConnectionReset | Kind::UnexpectedEof => AttemptFailure::Dropped,
            Kind::HostUnreachable => AttemptFailure::Unreachable,
            // Nobody has answered: a name that is not found.
            _ => AttemptFailure::Timeout,
        }
    }

    fn words(&self) -> std::sync::MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_means_depends_on_how_far_the_attempt_had_come() {
        let attempt = Attempt::new(0, 1, Network::wifi(0), false);
        let failure = |kind: io::ErrorKind| attempt.failure(&kind.into());
        assert_eq!(failure(io::ErrorKind::ConnectionRefused), AttemptFailure::Refused);
        assert_eq!(failure(io::ErrorKind::HostUnreachable), AttemptFailure::Unreachable);
        assert_eq!(failure(io::ErrorKind::NetworkUnreachable), AttemptFailure::NoNetwork);
        assert_eq!(failure(io::ErrorKind::ConnectionAborted), AttemptFailure::NoNetwork, "its address is gone");
        assert_eq!(failure(io::ErrorKind::ConnectionReset), AttemptFailure::Dropped);
        attempt.established();
        assert_eq!(failure(io::ErrorKind::InvalidData), AttemptFailure::Dropped);
        assert_eq!(failure(io::ErrorKind::TimedOut), AttemptFailure::Timeout);
    }
}
