//! Life behind a NAT that forgets: a path that dies when it stays idle for longer than `tau`, a host that reconnects one
//! second after every end. No packet is ever lost otherwise, so a search that is right about its world converges here.

use std::time::Duration;

use crate::{Action, Event, Heartbeat, LossReason, Network, Time};

/// From a heartbeat to its reply, and from `AskTransport` to what it learns.
const RTT: Duration = Duration::from_millis(100);
/// From the end of a connection to the next one.
const RECONNECT: Duration = Duration::from_secs(1);
/// How long the transport retransmits into a dead path before it says so (Linux, `tcp_retries2` = 15).
const RETRANSMISSIONS: Duration = Duration::from_secs(924);

/// What became of a policy.
#[derive(Debug)]
pub(crate) struct Report {
    /// Every heartbeat of the session's connection, in order.
    pub(crate) beats: Vec<Beat>,
    /// The ends of connections, in order, whether the policy or the transport noticed.
    pub(crate) losses: Vec<Time>,
    /// Heartbeats sent on probe connections.
    pub(crate) probes: usize,
    /// Probe connections whose path died.
    pub(crate) probe_losses: usize,
    /// How often the policy asked for its memory to be stored.
    pub(crate) remembered: usize,
}

/// One heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) at: Time,
    /// Idle time of the path before it: from the last packet in either direction.
    pub(crate) gap: Duration,
    /// From the beat before it on the same connection; `None` for the first.
    pub(crate) interval: Option<Duration>,
    /// The path was alive.
    pub(crate) answered: bool,
}

impl Report {
    /// Returns the interval before the last answered beat that had one.
    pub(crate) fn last_interval(&self) -> Option<Duration> {
        self.beats.iter().rev().filter(|beat| beat.answered).find_map(|beat| beat.interval)
    }

    /// Since when every interval has been the last one and no connection was lost; `None` when nothing was ever answered
    /// an interval after another beat.
    pub(crate) fn converged_at(&self) -> Option<Time> {
        let last = self.last_interval()?;
        let lost = self.losses.last().copied().unwrap_or_default();
        let settled = self.beats.iter().rev().take_while(|beat| beat.at >= lost && beat.interval == Some(last));
        settled.last().map(|beat| beat.at)
    }

    /// Connections lost from `begin` on.
    pub(crate) fn losses_since(&self, begin: Time) -> usize {
        self.losses.len() - self.losses.partition_point(|at| *at < begin)
    }
}

/// Lets a policy live for `duration` from time zero, behind a NAT with the timeout `tau`, on the cellular network 0.
pub(crate) fn live_behind_nat(policy: &mut dyn Heartbeat, tau: Duration, duration: Duration) -> Report {
    live_on(policy, Network::cellular(0), tau, Time::ZERO, duration)
}

/// Returns the same on any network and from any time, for lives in several parts: a connection comes up at `begin`, and
/// the one that is up at the end is aborted then, as when the device leaves the network.
pub(crate) fn live_on(
    policy: &mut dyn Heartbeat,
    network: Network,
    tau: Duration,
    begin: Time,
    duration: Duration,
) -> Report {
    let end = begin + duration;
    let mut host = Host {
        network,
        tau,
        session: None,
        probe: None,
        reconnect_at: Some(begin),
        report: Report { beats: Vec::new(), losses: Vec::new(), probes: 0, probe_losses: 0, remembered: 0 },
    };
    let mut now = begin;
    loop {
        host.deliver(policy, now);
        for acted in 0.. {
            let Some(action) = policy.poll(now) else { break };
            assert!(acted < 20, "no end of actions: {action:?}");
            host.act(policy, action, now);
        }
        let due = policy.deadline();
        assert!(due.is_none_or(|due| due > now), "a polled deadline is gone or in the future");
        let Some(next) = host.next_event().into_iter().chain(due).min().filter(|next| *next < end) else { break };
        now = next.max(now);
    }
    if host.session.is_some() {
        policy.on_event(end, &Event::Lost(LossReason::Aborted));
        while policy.poll(end).is_some() {}
    }
    host.report
}

/// The host, its one session and its one probe connection.
struct Host {
    network: Network,
    tau: Duration,
    session: Option<Flow>,
    probe: Option<Flow>,
    reconnect_at: Option<Time>,
    report: Report,
}

/// A connection through the NAT.
struct Flow {
    last_packet: Time,
    last_beat: Option<Time>,
    /// Beats sent and not yet answered; on a dead path they stay.
    outstanding: Vec<(Time, u32)>,
    /// Since when the transport has been sending into nothing.
    dead_since: Option<Time>,
    /// A probe connection comes up a round trip after it was asked for.
    up_at: Option<Time>,
}

impl Flow {
    fn new(now: Time, up_at: Option<Time>) -> Self {
        Self { last_packet: now, last_beat: None, outstanding: Vec::new(), dead_since: None, up_at }
    }

    /// Sends heartbeat `id`, unless the path is dead; it dies of the gap before it.
    fn send(&mut self, now: Time, id: u32, tau: Duration) -> Beat {
        let gap = now.since(self.last_packet);
        if gap > tau && self.dead_since.is_none() {
            self.dead_since = Some(now);
        }
        let answered = self.dead_since.is_none();
        if answered {
            self.last_packet = now;
            self.outstanding.push((now, id));
        }
        let interval = self.last_beat.replace(now).map(|before| now.since(before));
        Beat { at: now, gap, interval, answered }
    }

    fn next_event(&self) -> Option<Time> {
        let reply = self.outstanding.first().map(|(sent, _)| *sent + RTT);
        let end = self.dead_since.map(|since| since + RETRANSMISSIONS);
        [self.up_at, reply, end].into_iter().flatten().min()
    }

    /// Returns the reply that arrives now.
    fn reply(&mut self, now: Time) -> Option<u32> {
        let (sent, id) = *self.outstanding.first()?;
        (sent + RTT <= now).then(|| {
            self.outstanding.remove(0);
            self.last_packet = now;
            id
        })
    }

    fn is_over(&self, now: Time) -> bool {
        self.dead_since.is_some_and(|since| since + RETRANSMISSIONS <= now)
    }
}

impl Host {
    fn next_event(&self) -> Option<Time> {
        let flows = [&self.session, &self.probe].into_iter().flatten().filter_map(Flow::next_event);
        flows.chain(self.reconnect_at).min()
    }

    /// Tells the policy one thing that happens now, if anything does.
    fn deliver(&mut self, policy: &mut dyn Heartbeat, now: Time) {
        if self.reconnect_at.is_some_and(|at| at <= now) {
            self.reconnect_at = None;
            self.session = Some(Flow::new(now, None));
            policy.on_event(now, &Event::Connected { network: self.network, server: 0 });
        } else if let Some(id) = self.session.as_mut().and_then(|session| session.reply(now)) {
            policy.on_event(now, &Event::HeartbeatReply { id, rtt: RTT });
        } else if self.session.as_ref().is_some_and(|session| session.is_over(now)) {
            self.end(now);
            policy.on_event(now, &Event::Lost(LossReason::RetransmissionTimeout));
        } else if let Some(probe) = &mut self.probe {
            if probe.up_at.take_if(|at| *at <= now).is_some() {
                probe.last_packet = now;
                policy.on_event(now, &Event::ProbeConnected);
            } else if let Some(id) = probe.reply(now) {
                policy.on_event(now, &Event::ProbeReply { id, rtt: RTT });
            } else if probe.is_over(now) {
                self.probe = None;
                policy.on_event(now, &Event::ProbeLost);
            }
        }
    }

    fn act(&mut self, policy: &mut dyn Heartbeat, action: Action, now: Time) {
        match action {
            Action::SendHeartbeat { id } => {
                let session = self.session.as_mut().expect("a heartbeat needs a connection");
                self.report.beats.push(session.send(now, id, self.tau));
                policy.on_event(now, &Event::BytesWritten);
            }
            Action::GiveUp(_) => {
                assert!(self.session.is_some(), "only a connection can be given up");
                self.end(now);
            }
            Action::OpenProbe => self.probe = Some(Flow::new(now, Some(now + RTT))),
            Action::SendProbe { id } => {
                let probe = self.probe.as_mut().expect("a probe needs its connection");
                self.report.probes += 1;
                let alive = probe.dead_since.is_none();
                if !probe.send(now, id, self.tau).answered && alive {
                    self.report.probe_losses += 1;
                }
            }
            Action::CloseProbe => self.probe = None,
            Action::AskTransport => {
                let session = self.session.as_ref().expect("a question about a connection");
                policy.on_event(now, &Event::TransportHeard { ago: now.since(session.last_packet) });
            }
            Action::Remember => self.report.remembered += 1,
            Action::Suspect | Action::Trust | Action::SetKeepalive(_) | Action::SetUserTimeout(_) => {}
            Action::SendNotice | Action::Race => unreachable!("no policy tested here does this: {action:?}"),
        }
    }

    /// The session is over, and its probe connection with it.
    fn end(&mut self, now: Time) {
        self.session = None;
        self.probe = None;
        self.report.losses.push(now);
        self.reconnect_at = Some(now + RECONNECT);
    }
}

/// The model itself, with a policy whose fate is plain.
mod tests {
    use super::{Duration, Heartbeat, Time};
    use crate::{
        HeartbeatSpec, Network,
        testing::{Report, live_behind_nat, live_on, rng},
    };

    fn fixed(interval: &str) -> Box<dyn Heartbeat> {
        let spec: HeartbeatSpec =
            toml::from_str(&format!("fixed = {{ interval = \"{interval}\", timeout = \"10s\" }}"))
                .expect("a heartbeat");
        spec.build(rng(1))
    }

    #[test]
    fn a_beat_within_the_timeout_keeps_the_path_alive_and_one_after_it_finds_it_dead() {
        let (tau, hour) = (Duration::from_secs(300), Duration::from_hours(1));
        let kept = live_behind_nat(&mut *fixed("300s"), tau, hour);
        assert_eq!((kept.losses.len(), kept.beats.len()), (0, 11));
        assert_eq!(kept.last_interval(), Some(tau));
        assert_eq!(kept.converged_at(), Some(Time::from_secs(600)));

        // 301 s to the beat, 10 s to its judgement, 1 s to the next connection.
        let lost = live_behind_nat(&mut *fixed("301s"), tau, hour);
        assert_eq!((lost.losses.len(), lost.losses_since(Time::from_secs(1_800))), (11, 6));
        assert!(lost.beats.iter().all(|beat| !beat.answered));
        assert_eq!((lost.last_interval(), lost.converged_at()), (None, None));
    }

    #[test]
    fn a_life_can_go_on_later_and_elsewhere() {
        let Report { beats, losses, .. } = live_on(
            &mut *fixed("60s"),
            Network::wifi(1),
            Duration::MAX,
            Time::from_secs(1_000),
            Duration::from_secs(150),
        );
        assert_eq!(
            beats.iter().map(|beat| beat.at).collect::<Vec<_>>(),
            [Time::from_secs(1_060), Time::from_secs(1_120)]
        );
        assert!(losses.is_empty());
    }
}
