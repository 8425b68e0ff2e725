//! Which connection of a device's program is its session, as records and the truth have it: the oldest that it has. A second
//! one, opened beside it, is its rival and takes its place when it ends; those after it are in no record until their turn
//! comes. What sockets do is in `kernel`.

use cardiogram_policies::{AttemptFailure, GiveUp, LossReason};

use crate::record::trace::DeviceEvent;

/// The connections of a device, the oldest first.
#[derive(Default)]
pub(super) struct Sessions(Vec<Open>);

#[derive(Clone, Copy)]
struct Open {
    port: u16,
    server: u32,
    is_established: bool,
}

/// How a connection ends for its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The program has left it.
    Left,
    /// The transport has ended it; what it means for a connection that was established, and for one that was not.
    Failed(LossReason, AttemptFailure),
}

impl Sessions {
    /// The program opens a connection.
    pub(super) fn open(&mut self, port: u16, server: u32, note: &mut dyn FnMut(DeviceEvent)) {
        self.0.push(Open { port, server, is_established: false });
        match self.0.len() {
            1 => note(DeviceEvent::AttemptStarted { port, server }),
            2 => note(DeviceEvent::RaceStarted { port, server }),
            _ => {}
        }
    }

    /// A connection is established.
    pub(super) fn established(&mut self, port: u16, note: &mut dyn FnMut(DeviceEvent)) {
        let Some(place) = self.0.iter().position(|open| open.port == port) else { return };
        self.0[place].is_established = true;
        let server = self.0[place].server;
        match place {
            0 => note(DeviceEvent::Connected { port, server }),
            // The second attempt has overtaken the first.
            1 if !self.0[0].is_established => {
                self.0.swap(0, 1);
                note(DeviceEvent::AttemptFailed(AttemptFailure::Dropped));
                note(DeviceEvent::Connected { port, server });
                self.begin_race(note);
            }
            _ => {}
        }
    }

    /// A connection ends, if it has not ended yet.
    pub(super) fn end(&mut self, port: u16, end: End, note: &mut dyn FnMut(DeviceEvent)) {
        let Some(place) = self.0.iter().position(|open| open.port == port) else { return };
        let open = self.0.remove(place);
        match place {
            0 => {
                note(match (open.is_established, end) {
                    (true, End::Left) => DeviceEvent::GivenUp { port, reason: GiveUp::NoReply },
                    (true, End::Failed(reason, _)) => DeviceEvent::Lost { port, reason },
                    (false, End::Left) => DeviceEvent::AttemptFailed(AttemptFailure::Timeout),
                    (false, End::Failed(_, failure)) => DeviceEvent::AttemptFailed(failure),
                });
                self.succeed(note);
            }
            1 => {
                note(DeviceEvent::RaceLost { port });
                self.begin_race(note);
            }
            _ => {}
        }
    }

    /// The rival takes the place of the session that has ended.
    fn succeed(&mut self, note: &mut dyn FnMut(DeviceEvent)) {
        let Some(&Open { port, server, is_established }) = self.0.first() else { return };
        if is_established {
            note(DeviceEvent::Connected { port, server });
        } else {
            note(DeviceEvent::RaceLost { port });
            note(DeviceEvent::AttemptStarted { port, server });
        }
        self.begin_race(note);
    }

    fn begin_race(&self, note: &mut dyn FnMut(DeviceEvent)) {
        if let Some(&Open { port, server, .. }) = self.0.get(1) {
            note(DeviceEvent::RaceStarted { port, server });
        }
    }
}

#[cfg(test)]
mod tests {
    use DeviceEvent::{AttemptFailed, AttemptStarted, Connected, GivenUp, Lost, RaceLost, RaceStarted};

    use super::*;

    use Act::{Open, Up};
    const LEAVE: Act = Act::End(End::Left);
    const RESET: End = End::Failed(LossReason::Reset, AttemptFailure::Dropped);

    /// Opens, establishes or ends connections by port; returns what is noted.
    fn play(acts: &[(u16, Act)]) -> Vec<DeviceEvent> {
        let (mut sessions, mut noted) = (Sessions::default(), Vec::new());
        let mut note = |event| noted.push(event);
        for (port, act) in acts {
            match act {
                Open => sessions.open(*port, 0, &mut note),
                Up => sessions.established(*port, &mut note),
                Act::End(end) => sessions.end(*port, *end, &mut note),
            }
        }
        noted
    }

    #[derive(Clone, Copy)]
    enum Act {
        Open,
        Up,
        End(End),
    }

    #[test]
    fn one_connection_after_the_other_is_attempts_and_sessions() {
        let refused = Act::End(End::Failed(LossReason::Reset, AttemptFailure::Refused));
        let noted = play(&[(1, Open), (1, refused), (2, Open), (2, Up), (2, Act::End(RESET)), (2, LEAVE), (3, Open)]);
        let server = 0;
        assert_eq!(
            noted,
            [
                AttemptStarted { port: 1, server },
                AttemptFailed(AttemptFailure::Refused),
                AttemptStarted { port: 2, server },
                Connected { port: 2, server },
                Lost { port: 2, reason: LossReason::Reset },
                AttemptStarted { port: 3, server },
            ]
        );
    }

    #[test]
    fn what_a_program_leaves_it_has_given_up_or_not_waited_for() {
        let noted = play(&[(1, Open), (1, LEAVE), (2, Open), (2, Up), (2, LEAVE)]);
        assert_eq!(noted[1], AttemptFailed(AttemptFailure::Timeout));
        assert_eq!(noted[4], GivenUp { port: 2, reason: GiveUp::NoReply });
    }

    #[test]
    fn a_second_connection_takes_the_place_of_the_first_when_that_ends() {
        let noted = play(&[(1, Open), (1, Up), (2, Open), (2, Up), (1, LEAVE)]);
        let server = 0;
        assert_eq!(
            noted[2..],
            [
                RaceStarted { port: 2, server },
                GivenUp { port: 1, reason: GiveUp::NoReply },
                Connected { port: 2, server }
            ]
        );
    }

    #[test]
    fn an_attempt_that_overtakes_another_is_the_session() {
        let noted = play(&[(1, Open), (2, Open), (2, Up), (1, LEAVE), (2, LEAVE)]);
        let server = 0;
        assert_eq!(
            noted,
            [
                AttemptStarted { port: 1, server },
                RaceStarted { port: 2, server },
                AttemptFailed(AttemptFailure::Dropped),
                Connected { port: 2, server },
                RaceStarted { port: 1, server },
                RaceLost { port: 1 },
                GivenUp { port: 2, reason: GiveUp::NoReply },
            ]
        );
    }

    #[test]
    fn a_third_connection_waits_for_its_turn() {
        let noted = play(&[(1, Open), (1, Up), (2, Open), (3, Open), (3, Up), (2, LEAVE), (1, LEAVE)]);
        let server = 0;
        assert_eq!(
            noted[2..],
            [
                RaceStarted { port: 2, server },
                RaceLost { port: 2 },
                RaceStarted { port: 3, server },
                GivenUp { port: 1, reason: GiveUp::NoReply },
                Connected { port: 3, server },
            ]
        );
    }
}
