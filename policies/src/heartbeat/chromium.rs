//! Chromium's heartbeat for Google Cloud Messaging: one interval for each kind of network, chosen by hand or by the server,
//! nothing learnt. What is special is what it does about a device that slept.

use std::time::Duration;

use super::{
    Action, AppState, Event, Heartbeat, LossReason,
    machine::{MachineState, Rules, has_state},
    spec::{Learning, Machine, per_hour},
};
use crate::{Bounds, Network, NetworkKind, Problem, Promises, Time, unit::Span};

parameters! {
    /// A beat an interval after the last answer, and one at once when the device wakes.
    ///
    /// Source: Chromium, `google_apis/gcm/engine/heartbeat_manager.cc`. A timer that fires late needs no rule of its
    /// own: a beat that is due is sent, and an answer that is overdue ends the connection, at the moment of waking.
    pub struct ChromiumGcm {
        /// The interval on mobile networks. Default 28 min.
        pub cellular: Span = Span::secs(28 * 60),
        /// The interval on Wi-Fi and cable. Default 15 min.
        pub wifi: Span = Span::secs(15 * 60),
        /// The client's own, shorter interval, 30 s to `cellular`; it never lengthens the network's. Default: none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub client: Option<Span> = None,
        /// How long the answer to a beat may take. Default 60 s.
        pub ack_timeout: Span = Span::secs(60),
        /// Sleep (`doze`) that ends after longer than this is followed by a beat at once; where a beat was out since
        /// before, by a new connection. Default 10 s.
        pub resume_after: Span = Span::secs(10),
    }
}

/// The least that a client may ask for (`kMinClientHeartbeatIntervalMs`); a server's word is held to it too, which is an
/// assumption.
const SHORTEST: Span = Span::secs(30);

impl Machine for ChromiumGcm {
    fn build(&self) -> Box<dyn Heartbeat> {
        Box::new(Chromium::new(self.clone()))
    }

    fn promises(&self, bounds: &Bounds) -> Promises {
        let shortest = self.cellular.min(self.wifi).min(SHORTEST).min(self.resume_after);
        Promises {
            // A server may direct any interval, however long.
            detects_within: None,
            // The shortest is the one that a server directs, or from waking to waking.
            heartbeats_per_hour: Some(per_hour(shortest.get())),
            // A beat that was out for the whole of a sleep has been out for longer than `resume_after`.
            no_false_alarm: bounds.loss_free && bounds.rtt_max <= self.ack_timeout.min(self.resume_after).get(),
            ..Promises::default()
        }
    }

    fn longest_gap(&self) -> Option<Duration> {
        None
    }

    fn learning(&self) -> Option<Learning> {
        None
    }

    fn describe(&self) -> String {
        let client = self.client.map_or_else(String::new, |client| format!(", or {client} where that is shorter"));
        format!(
            "Sends a heartbeat every {} on Wi-Fi or a cable and every {} on other networks{client}; what the server directs goes \
             before. A shorter interval than the one in force makes it reconnect at once, a longer one waits for the next \
             connection. A heartbeat without a reply within {} ends the connection. After a sleep of more than {} it beats at \
             once, or reconnects if a heartbeat was out. It remembers nothing from one connection to the next.",
            self.wifi, self.cellular, self.ack_timeout, self.resume_after
        )
    }

    fn problems(&self) -> Vec<Problem> {
        let Some(client) = self.client.filter(|client| !(SHORTEST..=self.cellular.max(SHORTEST)).contains(client))
        else {
            return Vec::new();
        };
        let nearest = client.clamp(SHORTEST, self.cellular.max(SHORTEST));
        vec![Problem::new(
            "heartbeat.chromium-gcm.client",
            format!("{client} is outside {SHORTEST} to {}", self.cellular),
            format!("use \"{nearest}\""),
        )]
    }
}

/// [`ChromiumGcm`] at work.
pub(super) struct Chromium {
    spec: ChromiumGcm,
    /// What the server said last; it outlives the connection.
    directed: Option<Duration>,
    /// The interval of this connection.
    interval: Duration,
    asleep_since: Option<Time>,
    state: MachineState<()>,
}

impl Chromium {
    pub(super) fn new(spec: ChromiumGcm) -> Self {
        let interval = spec.cellular.get();
        Self { spec, directed: None, interval, asleep_since: None, state: MachineState::new(()) }
    }

    /// The server's word wins. Before the first beat, as in the server's welcome, it is obeyed at once; later a shorter
    /// interval needs a new connection, and a longer one waits for the next.
    fn directed(&mut self, interval: Duration) {
        let interval = interval.max(SHORTEST.get());
        self.directed = Some(interval);
        let Some(beats) = &mut self.state.beats else { return };
        if beats.is_fresh() {
            self.interval = interval;
            beats.schedule(beats.last_beat() + interval);
        } else if interval < self.interval {
            beats.leave();
        }
    }

    fn told(&mut self, now: Time, state: AppState) {
        if state == AppState::Doze {
            self.asleep_since.get_or_insert(now);
            return;
        }
        let Some(since) = self.asleep_since.take().filter(|since| now.since(*since) > self.spec.resume_after.get())
        else {
            return;
        };
        match &mut self.state.beats {
            Some(beats) if !beats.is_waiting() => beats.schedule(now),
            Some(beats) if beats.last_beat() <= since => beats.declare_dead(),
            _ => {}
        }
    }
}

has_state!(Chromium, ());

impl Rules for Chromium {
    fn connected(&mut self, now: Time, network: Network) {
        let default = match network.kind {
            NetworkKind::Cellular => self.spec.cellular,
            NetworkKind::Wifi | NetworkKind::Wired => self.spec.wifi,
        };
        let own = self.spec.client.map_or(default, |client| client.min(default));
        self.interval = self.directed.unwrap_or_else(|| own.get());
        self.state.open(now, self.interval);
    }

    fn due(&mut self, now: Time) -> Option<Action> {
        // The next one is an interval after the answer: there is none without it.
        let patience = self.spec.ack_timeout.get();
        self.state.send(now, Some(patience), self.interval.max(patience))
    }

    fn answered(&mut self, now: Time) {
        self.state.schedule(now + self.interval);
    }

    fn overdue(&mut self, _: Time) {
        self.state.declare_dead();
    }

    fn lost(&mut self, _: Time, _: LossReason, _: bool) {}

    fn heard(&mut self, now: Time, event: &Event) {
        match event {
            Event::DirectedInterval(interval) => self.directed(*interval),
            Event::AppState(state) => self.told(now, *state),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        GiveUp,
        testing::{CONNECTED, LOST, beat, bounds, drain, play, reply},
    };

    const NO_REPLY: Action = Action::GiveUp(GiveUp::NoReply);
    const DOZE: Option<Event> = Some(Event::AppState(AppState::Doze));
    const AWAKE: Option<Event> = Some(Event::AppState(AppState::Background));

    fn policy() -> Chromium {
        Chromium::new(ChromiumGcm::default())
    }

    fn directed(secs: u64) -> Event {
        Event::DirectedInterval(Duration::from_secs(secs))
    }

    /// Returns when the first beat on `network` is due, in seconds.
    fn first_beat(spec: ChromiumGcm, network: Network) -> u64 {
        let mut policy = Chromium::new(spec);
        policy.on_event(Time::ZERO, &Event::Connected { network, server: 0 });
        policy.deadline().unwrap().as_micros() / 1_000_000
    }

    #[test]
    fn the_interval_runs_from_the_answer_and_the_answer_may_take_a_minute() {
        play(
            &mut policy(),
            &[
                (0, Some(CONNECTED), &[]),
                (1_000_000, Some(Event::BytesReceived), &[]),
                (1_680_000, None, &[beat(0)]),
                (1_740_000, Some(reply(0)), &[]),
                (3_420_000, None, &[beat(1)]),
                (3_480_000, None, &[Action::Suspect, NO_REPLY]),
            ],
        );
    }

    #[test]
    fn each_kind_of_network_has_its_interval_and_the_client_may_shorten_it() {
        let wired = Network { id: 0, kind: NetworkKind::Wired };
        for (network, secs) in [(Network::cellular(0), 1_680), (Network::wifi(0), 900), (wired, 900)] {
            assert_eq!(first_beat(ChromiumGcm::default(), network), secs);
            let client = |secs| ChromiumGcm { client: Some(Span::secs(secs)), ..ChromiumGcm::default() };
            assert_eq!(first_beat(client(60), network), 60);
            assert_eq!(first_beat(client(1_200), network), secs.min(1_200));
        }
    }

    #[test]
    fn the_servers_interval_wins_at_once_where_it_comes_with_the_welcome() {
        play(
            &mut Chromium::new(ChromiumGcm { client: Some(Span::secs(60)), ..ChromiumGcm::default() }),
            &[(0, Some(CONNECTED), &[]), (0, Some(directed(600)), &[]), (600_000, None, &[beat(0)])],
        );
    }

    #[test]
    fn later_a_shorter_one_makes_the_connection_new_and_a_longer_one_waits_for_the_next() {
        play(
            &mut policy(),
            &[
                (0, Some(CONNECTED), &[]),
                (0, Some(directed(600)), &[]),
                (600_000, None, &[beat(0)]),
                (600_500, Some(reply(0)), &[]),
                (700_000, Some(directed(900)), &[]),
                (1_200_500, None, &[beat(1)]),
                (1_201_000, Some(reply(1)), &[]),
                (1_300_000, Some(LOST), &[]),
                (1_301_000, Some(CONNECTED), &[]),
                (2_201_000, None, &[beat(0)]),
                (2_201_500, Some(reply(0)), &[]),
                (2_300_000, Some(directed(300)), &[Action::GiveUp(GiveUp::Done)]),
                (2_301_000, Some(CONNECTED), &[]),
                (2_601_000, None, &[beat(0)]),
            ],
        );
    }

    #[test]
    fn a_server_cannot_direct_less_than_half_a_minute() {
        play(&mut policy(), &[(0, Some(CONNECTED), &[]), (0, Some(directed(1)), &[]), (30_000, None, &[beat(0)])]);
    }

    #[test]
    fn waking_from_more_than_ten_seconds_of_sleep_is_a_beat_at_once() {
        play(
            &mut policy(),
            &[
                (0, Some(CONNECTED), &[]),
                (100_000, DOZE, &[]),
                (110_000, AWAKE, &[]),
                (200_000, DOZE, &[]),
                (205_000, DOZE, &[]),
                (210_001, AWAKE, &[beat(0)]),
                (210_101, Some(reply(0)), &[]),
                (220_000, AWAKE, &[]),
                (1_890_101, None, &[beat(1)]),
            ],
        );
    }

    #[test]
    fn a_beat_that_was_out_when_the_sleep_began_makes_the_connection_new() {
        play(
            &mut policy(),
            &[
                (0, Some(CONNECTED), &[]),
                (1_680_000, None, &[beat(0)]),
                (1_681_000, DOZE, &[]),
                (1_692_000, AWAKE, &[Action::Suspect, NO_REPLY]),
            ],
        );
        // One that was sent in the sleep may still be answered.
        play(
            &mut policy(),
            &[
                (0, Some(CONNECTED), &[]),
                (1_000_000, DOZE, &[]),
                (1_680_000, None, &[beat(0)]),
                (1_681_000, AWAKE, &[]),
                (1_682_000, Some(reply(0)), &[]),
            ],
        );
    }

    #[test]
    fn a_host_that_overslept_sends_the_beat_or_ends_the_connection_on_waking() {
        let mut policy = policy();
        policy.on_event(Time::ZERO, &CONNECTED);
        assert_eq!(drain(&mut policy, Time::from_secs(2_000)), [beat(0)]);
        assert_eq!(drain(&mut policy, Time::from_secs(3_000)), [Action::Suspect, NO_REPLY]);
    }

    #[test]
    fn no_detection_is_promised_for_the_server_may_direct_any_interval() {
        let promises = ChromiumGcm::default().promises(&bounds());
        assert_eq!((promises.detects_within, promises.heartbeats_per_hour), (None, Some(361)));
        assert!(promises.no_false_alarm);
        assert!(
            !ChromiumGcm::default().promises(&Bounds { rtt_max: Duration::from_secs(11), ..bounds() }).no_false_alarm
        );
    }

    #[test]
    fn the_clients_interval_has_its_range() {
        for (client, nearest) in [(29, "30s"), (1_681, "28m")] {
            let spec = ChromiumGcm { client: Some(Span::secs(client)), ..ChromiumGcm::default() };
            let problems = spec.problems();
            assert_eq!(problems.len(), 1);
            assert_eq!(problems[0].path, "heartbeat.chromium-gcm.client");
            assert_eq!(problems[0].help, format!("use \"{nearest}\""));
        }
        assert!(ChromiumGcm { client: Some(Span::secs(30)), ..ChromiumGcm::default() }.problems().is_empty());
    }
}
