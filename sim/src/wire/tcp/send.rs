//! The sending half: the queue, what is in flight, and the rules by which it is sent again.
//!
//! After a timeout everything in flight counts as lost, one segment is sent, and each acknowledgement releases as many
//! as it acknowledged (Linux starts at a window of one there): the only trace of congestion control.

use std::{collections::VecDeque, time::Duration};

use cardiogram_policies::Time;

use super::{Connection, State, TcpConfig, before, rtt::RttEstimator, timestamp};
use crate::wire::packet::{Flags, Options, Packet};

/// Bytes that the timestamps option takes from every segment.
const TIMESTAMPS_LEN: u16 = 12;
/// Shortest wait for a window probe: two ticks of a 250 Hz kernel (`TCP_TIMEOUT_MIN`).
pub(super) const TIMER_MIN: Duration = Duration::from_millis(8);
/// What a tail-loss probe waits beyond two round trips (`TCP_TIMEOUT_MIN_US`).
const PROBE_SLACK: Duration = Duration::from_millis(2);

pub(super) struct Sender {
    /// Oldest sequence number not acknowledged.
    una: u32,
    /// Next sequence number to send.
    nxt: u32,
    /// Last sequence number the peer has room for, plus one.
    window_end: u32,
    window_shift: u8,
    mss: u16,
    timestamps: bool,
    /// Whether the peer offered these options: only then they are in the answer to its SYN.
    peer_scales: bool,
    peer_sacks: bool,
    /// The end of the last segment that was sent short of a full one (`snd_sml`).
    short_end: u32,
    /// Bytes from `una` on, sent or not; SYN and FIN are not among them.
    bytes: VecDeque<u8>,
    flight: VecDeque<Segment>,
    fin: Fin,
    rtt: RttEstimator,
    /// The timeout in force: the estimator's, backed off.
    pub(super) rto: Duration,
    /// How many times it was doubled since it was estimated.
    pub(super) backoff: u32,
    /// When something was acknowledged last.
    last_progress: Time,
    /// Timeouts since then.
    pub(super) timeouts: u32,
    /// When the first of them sent something again (`retrans_stamp`).
    pub(super) first_retransmission: Option<Time>,
    recovery: Option<Recovery>,
    /// A tail-loss probe is out, up to this sequence number.
    probe_end: Option<u32>,
    /// Window probes that went unanswered.
    pub(super) window_probes: u32,
    /// Doublings of the wait for the next one.
    pub(super) window_backoff: u32,
    /// When the first was due since the window shut.
    pub(super) first_window_probe: Option<Time>,
    pub(super) timer: Option<(Time, SendTimer)>,
}

/// What the send timer does when it fires.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SendTimer {
    /// Send the oldest segment again.
    Retransmit,
    /// Send something at the tail, so that an acknowledgement tells about the rest.
    ProbeTail,
    /// Ask whether the window has opened.
    ProbeWindow,
}

struct Segment {
    seq: u32,
    len: u16,
    /// SYN, FIN and PSH.
    flags: Flags,
    first_sent: Time,
    last_sent: Time,
    retransmitted: bool,
    lost: bool,
}

impl Segment {
    fn end(&self) -> u32 {
        let control = u32::from(self.flags.has(Flags::SYN)) + u32::from(self.flags.has(Flags::FIN));
        self.seq.wrapping_add(u32::from(self.len) + control)
    }
}

/// After a timeout: until this is acknowledged, at most `window` segments are in flight.
struct Recovery {
    end: u32,
    window: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fin {
    None,
    Queued,
    Sent,
}

impl Sender {
    pub(super) fn new(iss: u32, config: &TcpConfig) -> Self {
        Self {
            una: iss,
            nxt: iss,
            window_end: iss,
            window_shift: 0,
            mss: config.mss - if config.offers_timestamps { TIMESTAMPS_LEN } else { 0 },
            timestamps: config.offers_timestamps,
            peer_scales: true,
            peer_sacks: true,
            short_end: iss,
            bytes: VecDeque::new(),
            flight: VecDeque::new(),
            fin: Fin::None,
            rtt: RttEstimator::default(),
            rto: config.rto(None),
            backoff: 0,
            last_progress: Time::ZERO,
            timeouts: 0,
            first_retransmission: None,
            recovery: None,
            probe_end: None,
            window_probes: 0,
            window_backoff: 0,
            first_window_probe: None,
            timer: None,
        }
    }

    pub(super) fn next(&self) -> u32 {
        self.nxt
    }

    pub(super) fn oldest(&self) -> u32 {
        self.una
    }

    pub(super) fn timestamps(&self) -> bool {
        self.timestamps
    }

    pub(super) fn queued(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn queue(&mut self, data: &[u8], limit: usize) -> usize {
        let taken = data.len().min(limit.saturating_sub(self.bytes.len()));
        self.bytes.extend(&data[..taken]);
        taken
    }

    pub(super) fn queue_fin(&mut self) {
        self.fin = Fin::Queued;
    }

    /// Nothing is unacknowledged and nothing waits to be sent.
    pub(super) fn is_idle(&self) -> bool {
        self.flight.is_empty() && self.bytes.is_empty() && self.fin != Fin::Queued
    }

    pub(super) fn fin_is_acknowledged(&self) -> bool {
        self.fin == Fin::Sent && self.flight.is_empty()
    }

    pub(super) fn srtt(&self) -> Option<Duration> {
        self.rtt.srtt()
    }

    /// Since when the oldest unacknowledged segment has held things up: its first transmission, or the last progress
    /// where that came later.
    pub(super) fn waiting_since(&self) -> Option<Time> {
        self.flight.front().map(|segment| segment.first_sent.max(self.last_progress))
    }

    /// Returns when the oldest unacknowledged segment was sent last.
    pub(super) fn last_sent(&self) -> Option<Time> {
        self.flight.front().map(|segment| segment.last_sent)
    }

    /// Returns what the measurements make of the timeout; `None`: nothing was measured yet.
    pub(super) fn estimated_rto(&self) -> Option<Duration> {
        self.rtt.rto()
    }

    pub(super) fn set_window(&mut self, ack: u32, window: u16) {
        self.window_end = ack.wrapping_add(u32::from(window) << self.window_shift);
    }

    /// Takes the options and the window of the peer's SYN; that window is never scaled.
    pub(super) fn negotiate(&mut self, options: &Options, window: u16) {
        self.window_end = self.nxt.wrapping_add(u32::from(window));
        let offered = if self.timestamps { TIMESTAMPS_LEN } else { 0 };
        self.timestamps = options.timestamps.is_some();
        self.peer_scales = options.window_scale.is_some();
        self.peer_sacks = options.sack_permitted;
        self.window_shift = options.window_scale.unwrap_or(0).min(14);
        let overhead = if self.timestamps { TIMESTAMPS_LEN } else { 0 };
        self.mss = (self.mss + offered).min(options.mss.unwrap_or(536)).max(88) - overhead;
    }

    /// Bytes in flight, SYN and FIN aside.
    fn sent_bytes(&self) -> usize {
        self.flight.iter().map(|segment| usize::from(segment.len)).sum()
    }

    fn unsent(&self) -> usize {
        self.bytes.len() - self.sent_bytes()
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.flight.capacity() * size_of::<Segment>()
    }

    /// At rest a connection holds no buffers: a world has tens of thousands of them.
    fn shrink(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = VecDeque::new();
        }
        if self.flight.is_empty() {
            self.flight = VecDeque::new();
        }
    }

    /// Joins small segments to the one at `index` that is about to be sent again (`tcp_retrans_try_collapse`).
    fn merge(&mut self, index: usize) {
        while let Some(next) = self.flight.get(index + 1)
            && !self.flight[index].flags.has(Flags::SYN)
            && u32::from(self.flight[index].len) + u32::from(next.len) <= u32::from(self.mss)
        {
            let next = self.flight.remove(index + 1).expect("looked");
            let segment = &mut self.flight[index];
            segment.len += next.len;
            segment.flags = segment.flags | next.flags;
        }
    }

    fn may_send(&self) -> bool {
        let in_flight = || self.flight.iter().filter(|segment| !segment.lost).count();
        self.recovery.as_ref().is_none_or(|recovery| in_flight() < recovery.window)
    }
}

impl Connection {
    pub(super) fn send_syn(&mut self, now: Time, out: &mut Vec<Packet>) {
        let seq = self.send.nxt;
        self.send.nxt = seq.wrapping_add(1);
        self.send.window_end = self.send.nxt;
        let fresh = Segment {
            seq,
            len: 0,
            flags: Flags::SYN,
            first_sent: now,
            last_sent: now,
            retransmitted: false,
            lost: false,
        };
        self.send.flight.push_back(fresh);
        self.transmit(0, now, out);
        self.send.timer = Some((self.clock(now).after(self.send.rto), SendTimer::Retransmit));
    }

    /// Sends what may be sent: lost segments first, then new data, then FIN.
    pub(super) fn output(&mut self, now: Time, out: &mut Vec<Packet>) {
        if matches!(self.state, State::SynSent | State::SynReceived | State::Closed | State::TimeWait) {
            return;
        }
        while !self.held
            && self.send.may_send()
            && let Some(lost) = self.send.flight.iter().position(|segment| segment.lost)
        {
            self.transmit_again(lost, now, out);
        }
        let mut sent_new = false;
        while self.send.may_send() && self.send_new(self.config.nodelay, now, out) {
            sent_new = true;
        }
        if sent_new {
            self.schedule_after_sending(now);
        }
        self.watch_window(now);
    }

    /// Sends one new segment, if there is something to send and room for it. Without `nodelay` one that is not full waits
    /// for the acknowledgement of another one, unless the end of everything is in it (`tcp_nagle_check`).
    fn send_new(&mut self, nodelay: bool, now: Time, out: &mut Vec<Packet>) -> bool {
        let send = &mut self.send;
        let unsent = send.unsent();
        let room = if before(send.nxt, send.window_end) { send.window_end.wrapping_sub(send.nxt) as usize } else { 0 };
        let len = unsent.min(usize::from(send.mss)).min(room);
        let fin = send.fin == Fin::Queued && len == unsent && room > len;
        if len == 0 && !fin {
            return false;
        }
        let short = len < usize::from(send.mss);
        if short && !nodelay && !fin && before(send.una, send.short_end) {
            return false;
        }
        // Linux puts FIN on the last segment that waits, or sends it alone.
        if fin {
            send.fin = Fin::Sent;
        }
        let fin_flag = if fin { Flags::FIN } else { Flags::default() };
        let push = if len == unsent && len > 0 { Flags::PSH } else { Flags::default() };
        send.flight.push_back(Segment {
            seq: send.nxt,
            len: len as u16,
            flags: push | fin_flag,
            first_sent: now,
            last_sent: now,
            retransmitted: false,
            lost: false,
        });
        send.nxt = send.nxt.wrapping_add(len as u32 + u32::from(fin));
        if short {
            send.short_end = send.nxt;
        }
        let last = send.flight.len() - 1;
        self.transmit(last, now, out);
        true
    }

    /// Sends a segment again, unless it has not left the host yet.
    pub(super) fn transmit_again(&mut self, index: usize, now: Time, out: &mut Vec<Packet>) {
        if self.held {
            return;
        }
        self.send.merge(index);
        let segment = &mut self.send.flight[index];
        segment.retransmitted = true;
        segment.lost = false;
        segment.last_sent = now;
        self.transmit(index, now, out);
    }

    fn transmit(&mut self, index: usize, now: Time, out: &mut Vec<Packet>) {
        if self.send.flight[index].len > 0 {
            self.ack.data_sent(now);
        }
        let offset = self.send.flight.iter().take(index).map(|segment| usize::from(segment.len)).sum::<usize>();
        let Segment { seq, len, flags, .. } = self.send.flight[index];
        let payload = self.send.bytes.range(offset..offset + usize::from(len)).copied().collect();
        let syn = flags.has(Flags::SYN);
        let flags = if self.state == State::SynSent { flags } else { flags | Flags::ACK };
        let mut packet = self.packet(now, seq, flags, payload);
        if syn {
            packet.options.mss = Some(self.config.mss);
            packet.options.window_scale = self.send.peer_scales.then_some(0);
            packet.options.sack_permitted = self.send.peer_sacks;
        }
        out.push(packet);
    }

    /// Takes an acknowledgement of something new: drops what is acknowledged, measures, restarts the timers.
    pub(super) fn acknowledged(&mut self, ack: u32, echo: Option<u32>, now: Time) {
        let send = &mut self.send;
        let mut count = 0;
        let mut oldest_fresh: Option<Time> = None;
        let mut retransmitted = false;
        while let Some(segment) = send.flight.front() {
            if before(ack, segment.end()) {
                break;
            }
            retransmitted |= segment.retransmitted;
            oldest_fresh = oldest_fresh.or(Some(segment.last_sent));
            send.bytes.drain(..usize::from(segment.len));
            count += 1;
            send.flight.pop_front();
        }
        // A segment acknowledged in part, by a peer that cuts segments up.
        if let Some(segment) = send.flight.front_mut()
            && before(segment.seq, ack)
        {
            let part = ack.wrapping_sub(segment.seq) as u16;
            send.bytes.drain(..usize::from(part));
            segment.seq = ack;
            segment.len -= part;
        }
        send.una = ack;

        // Karn: what was sent twice measures nothing, unless the peer echoes which of the two it saw.
        let rtt = match (retransmitted, oldest_fresh, echo) {
            (false, Some(sent), _) => Some(now.since(sent)),
            (true, _, Some(echo)) => {
                let elapsed = timestamp(now).wrapping_sub(echo);
                (echo != 0 && elapsed < i32::MAX as u32).then(|| Duration::from_millis(u64::from(elapsed.max(1))))
            }
            _ => None,
        };
        if let Some(rtt) = rtt {
            send.rtt.sample(rtt, send.una, send.nxt, self.config.variance_min);
        }
        // Karn's other half: without a measurement the timeout stays backed off.
        if rtt.is_some() || send.rtt.srtt().is_none() {
            send.rto = self.config.rto(send.rtt.rto());
            send.backoff = 0;
        }
        send.last_progress = now;
        send.timeouts = 0;
        send.first_retransmission = None;
        send.probe_end = send.probe_end.filter(|end| before(ack, *end));
        if let Some(recovery) = &mut send.recovery {
            recovery.window += count;
            if !before(ack, recovery.end) {
                send.recovery = None;
            }
        }
        send.shrink();
        self.schedule_after_progress(now);
    }

    /// `tcp_rearm_rto` and `tcp_schedule_loss_probe` after an acknowledgement: from now.
    fn schedule_after_progress(&mut self, now: Time) {
        self.send.timer = None;
        if !self.send.flight.is_empty() {
            let rto = self.send.rto;
            self.schedule(now, rto);
        }
    }

    /// Sets the timer after sending: the retransmission timer runs from the oldest segment in flight.
    fn schedule_after_sending(&mut self, now: Time) {
        let running = matches!(self.send.timer, Some((_, SendTimer::Retransmit)));
        if running && self.send.flight.len() > 1 {
            return;
        }
        let head = self.send.flight.front().map_or(now, |segment| segment.last_sent);
        let left = (head + self.send.rto).since(now).max(Duration::from_micros(1));
        self.schedule(now, left);
    }

    /// Sets the send timer to a tail-loss probe, or to a retransmission after `rto_left` where that comes first or a
    /// probe is out of place.
    fn schedule(&mut self, now: Time, rto_left: Duration) {
        let clock = self.clock(now);
        let probes = self.send.recovery.is_none() && self.send.probe_end.is_none() && self.send.timeouts == 0;
        self.send.timer = if probes && self.state != State::SynReceived {
            // `tcp_schedule_loss_probe`: two round trips, and the peer's longest acknowledgement delay where a single
            // segment waits for it.
            let base = self.send.rtt.srtt().map_or(self.config.rto_initial, |srtt| {
                let slack = if self.send.flight.len() == 1 { self.config.rto_min } else { PROBE_SLACK };
                2 * srtt + slack
            });
            Some((clock.after(base.min(rto_left)), SendTimer::ProbeTail))
        } else {
            Some((clock.after(rto_left), SendTimer::Retransmit))
        };
    }

    /// `tcp_send_loss_probe`: new data if there is any, otherwise the last segment again; then the timeout in full.
    pub(super) fn probe_tail(&mut self, now: Time, out: &mut Vec<Packet>) {
        if self.held {
            // Nothing to probe for: the timeout counts from when the segment was first to leave.
            let left = (self.send.last_sent().unwrap_or(now) + self.send.rto).since(now);
            let wait = left.max(Duration::from_micros(1));
            self.send.timer = Some((self.clock(now).after(wait), SendTimer::Retransmit));
            return;
        }
        if !self.send_new(true, now, out)
            && let Some(last) = self.send.flight.len().checked_sub(1)
        {
            self.transmit_again(last, now, out);
        }
        self.send.probe_end = Some(self.send.nxt);
        self.send.timer = Some((self.clock(now).after(self.send.rto), SendTimer::Retransmit));
    }

    /// The timeout's work: everything in flight is lost, the oldest segment is sent again.
    pub(super) fn retransmit(&mut self, now: Time, out: &mut Vec<Packet>) {
        for segment in &mut self.send.flight {
            segment.lost = true;
        }
        self.send.recovery = Some(Recovery { end: self.send.nxt, window: 1 });
        self.send.probe_end = None;
        self.transmit_again(0, now, out);
    }

    /// Begins to ask when the peer's window is shut and there is something to say, and ends when it has opened.
    fn watch_window(&mut self, now: Time) {
        let send = &mut self.send;
        let shut = !before(send.nxt, send.window_end);
        let waits = send.flight.is_empty() && !send.is_idle() && shut;
        let probing = matches!(send.timer, Some((_, SendTimer::ProbeWindow)));
        if waits && !probing {
            self.schedule_window_probe(now);
        } else if !waits && probing {
            send.timer = None;
        }
        if !waits {
            self.send.window_probes = 0;
            self.send.window_backoff = 0;
            self.send.first_window_probe = None;
        }
    }
}
