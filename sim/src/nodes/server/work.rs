//! What a process has to do and what it is doing: one queue, and as many pieces of work at a time as there are cores.
//! Frames of one connection are worked on one after the other. What the work is about is the application's business.

use std::{collections::VecDeque, time::Duration};

use cardiogram_policies::Time;

use crate::wire::frame::Frame;

/// A connection, told apart from later ones in the same slot of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) slot: u32,
    pub(super) number: u32,
}

/// Something that waits for a core.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Accept every connection that waits.
    Accept,
    /// Take a frame off the connection in this slot, and work on it.
    Read(u32),
}

/// A frame being worked on.
pub(super) struct Job {
    pub(super) client: Ticket,
    pub(super) frame: Frame,
    /// When it is done; while the process is stalled, as if the stall had begun just now.
    done: Time,
    /// What is left, while the process is stalled.
    left: Option<Duration>,
}

pub(super) struct Workers {
    cores: usize,
    /// What waits, in order of arrival.
    queue: VecDeque<Work>,
    /// What is being worked on, in the order in which it was begun.
    jobs: Vec<Job>,
}

impl Workers {
    pub(super) fn new(cores: u32) -> Self {
        Self { cores: cores as usize, queue: VecDeque::new(), jobs: Vec::new() }
    }

    pub(super) fn enqueue(&mut self, work: Work) {
        self.queue.push_back(work);
    }

    /// Returns the first work in the queue that can be begun now: a core is idle, the connection is not being worked on, and
    /// nothing keeps the process from it (`may_read`).
    pub(super) fn next_work(&mut self, may_read: impl Fn(u32) -> bool) -> Option<Work> {
        if self.jobs.len() == self.cores {
            return None;
        }
        let under_way = |slot: u32| self.jobs.iter().any(|job| job.client.slot == slot);
        let first = self.queue.iter().position(|work| match work {
            Work::Accept => true,
            Work::Read(slot) => !under_way(*slot) && may_read(*slot),
        })?;
        self.queue.remove(first)
    }

    /// Puts an idle core to work until `done`.
    pub(super) fn begin(&mut self, client: Ticket, frame: Frame, done: Time) {
        assert!(self.jobs.len() < self.cores, "a process has one piece of work a core");
        self.jobs.push(Job { client, frame, done, left: None });
    }

    /// Takes a piece of work that is done; the first one begun, where several are.
    pub(super) fn pop_done(&mut self, now: Time) -> Option<Job> {
        let first = self.jobs.iter().enumerate().filter(|(_, job)| job.done <= now).min_by_key(|(_, job)| job.done)?.0;
        Some(self.jobs.remove(first))
    }

    /// Returns when a piece of work is done next.
    pub(super) fn next_done(&self) -> Option<Time> {
        self.jobs.iter().map(|job| job.done).min()
    }

    /// Stops all work where it stands, or lets it go on.
    pub(super) fn set_stalled(&mut self, stalled: bool, now: Time) {
        for job in &mut self.jobs {
            match job.left.take() {
                Some(left) if !stalled => job.done = now + left,
                _ => job.left = Some(job.done.since(now)),
            }
        }
    }

    /// Forgets all work.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.jobs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(workers: &mut Workers, slot: u32, done_ms: u64) {
        let client = Ticket { slot, number: slot };
        workers.begin(client, Frame::Heartbeat { id: 0 }, Time::from_millis(done_ms));
    }

    #[test]
    fn a_core_takes_the_first_work_whose_connection_is_idle() {
        let mut workers = Workers::new(2);
        job(&mut workers, 7, 10);
        for slot in [7, 8, 9] {
            workers.enqueue(Work::Read(slot));
        }
        assert!(workers.next_work(|_| true) == Some(Work::Read(8)));
        job(&mut workers, 8, 5);
        assert!(workers.next_work(|_| true).is_none(), "both cores work");
        assert_eq!(workers.pop_done(Time::from_millis(20)).map(|job| job.client.slot), Some(8));
        assert_eq!(workers.pop_done(Time::from_millis(20)).map(|job| job.client.slot), Some(7));
        assert!(workers.next_work(|_| true) == Some(Work::Read(7)), "what was passed over kept its place");
    }

    #[test]
    fn a_stall_delays_all_work_by_its_length() {
        let mut workers = Workers::new(2);
        job(&mut workers, 1, 10);
        job(&mut workers, 2, 30);
        workers.set_stalled(true, Time::from_millis(5));
        workers.set_stalled(false, Time::from_millis(105));
        assert_eq!(workers.next_done(), Some(Time::from_millis(110)));
        assert_eq!(workers.pop_done(Time::from_millis(110)).map(|job| job.client.slot), Some(1));
        assert_eq!(workers.next_done(), Some(Time::from_millis(130)));
    }
}
