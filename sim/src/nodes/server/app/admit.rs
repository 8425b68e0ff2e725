//! Who is let in: a server that is busy tells newcomers so as soon as it hears of them, before it has worked on their login.
//! To refuse costs a frame and no core, as closing does, or refusing would help nobody.

use super::{App, Context};
use crate::{
    record::trace::ServerEvent,
    wire::frame::{Frame, GoodbyeReason},
};

impl App {
    /// Looks at the hello of everyone who came since the last time: he may wait, or is turned away at once.
    pub(super) fn admit(&mut self, context: &mut Context) {
        if self.spec.busy.is_none() {
            return;
        }
        if context.kernel.can_accept() {
            self.accept(context);
        }
        while let Some(slot) = self.newcomers.pop_front() {
            self.admit_one(slot, context);
        }
    }

    fn admit_one(&mut self, slot: u32, context: &mut Context) {
        let Some(accepted) = self.connections.get(&slot) else { return };
        let device = context.kernel.device(slot);
        if accepted.waits || accepted.hello.is_some() || accepted.session.is_some() || self.is_away_from(device) {
            return;
        }
        let accepted = self.connections.get_mut(&slot).expect("the one that was looked at");
        if context.kernel.end(slot).readable() > 0 {
            context.read(slot, &mut accepted.stream);
        }
        let Some(Frame::Hello { device, resumes, .. }) = Frame::take(&mut accepted.stream.clone()) else { return };
        if resumes && self.can_resume(device, context.now) {
            return;
        }
        if let Some(retry_after) = self.spec.busy.as_ref().and_then(|busy| busy.turns_away(self.waiting)) {
            context.note(ServerEvent::TurnedAway { device, retry_after });
            self.say_goodbye(slot, GoodbyeReason::Busy, Some(retry_after), context);
        } else {
            self.waiting += 1;
            self.connections.get_mut(&slot).expect("the one that was looked at").waits = true;
        }
    }
}
