//! The receiving half: what an arriving segment does to the connection, in the order of RFC 9293, 3.10.7, with Linux's
//! choices where the RFC leaves one.

use cardiogram_policies::Time;

use super::{
    Connection, Failure, State, TcpConfig, before, reset_for,
    send::{SendTimer, TIMER_MIN},
};
use crate::wire::packet::{Flags, Packet};

#[derive(Default)]
pub(super) struct Receiver {
    /// Next sequence number expected.
    next: u32,
    /// Bytes in order that the process has not read.
    unread: Vec<u8>,
    /// Segments that came early, by sequence number.
    early: Vec<(u32, Vec<u8>)>,
    /// Where the peer's FIN is, once it was seen.
    fin: Option<u32>,
    finished: bool,
    /// The last acknowledgement number sent.
    acknowledged: u32,
    /// The peer's timestamp to echo.
    timestamp: u32,
    last_segment: Time,
}

impl Receiver {
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    pub(super) fn readable(&self) -> usize {
        self.unread.len()
    }

    pub(super) fn finished(&self) -> bool {
        self.finished
    }

    pub(super) fn timestamp_to_echo(&self) -> u32 {
        self.timestamp
    }

    /// An acknowledgement of everything before [`next`](Self::next) leaves.
    pub(super) fn sent_acknowledgement(&mut self) {
        self.acknowledged = self.next;
    }

    /// Returns when a segment arrived last that was part of the conversation: no probe, no stray.
    pub(super) fn last_segment(&self) -> Time {
        self.last_segment
    }

    pub(super) fn window(&self, config: &TcpConfig) -> u16 {
        config.receive_buffer.saturating_sub(self.unread.len().min(usize::from(u16::MAX)) as u16)
    }

    /// Moves readable bytes to the end of `into`, at most `limit` of them.
    pub(super) fn read(&mut self, limit: usize, into: &mut Vec<u8>) {
        if limit < self.unread.len() {
            into.extend(self.unread.drain(..limit));
            return;
        }
        into.append(&mut self.unread);
        // At rest a connection holds no buffers: a world has tens of thousands of them.
        self.unread = Vec::new();
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.unread.capacity() + self.early.capacity() * size_of::<(u32, Vec<u8>)>()
    }

    /// Takes data that begins at or before `next`, and whatever early data it joins up with.
    fn take(&mut self, seq: u32, data: &[u8]) {
        self.append(seq, data);
        while let Some(index) = self.early.iter().position(|(seq, _)| !before(self.next, *seq)) {
            let (seq, data) = self.early.swap_remove(index);
            self.append(seq, &data);
        }
        if self.early.is_empty() {
            self.early = Vec::new();
        }
        if self.fin == Some(self.next) {
            self.next = self.next.wrapping_add(1);
            self.finished = true;
        }
    }

    fn append(&mut self, seq: u32, data: &[u8]) {
        let known = self.next.wrapping_sub(seq) as usize;
        if let Some(fresh) = data.get(known..) {
            self.unread.extend(fresh);
            self.next = self.next.wrapping_add(fresh.len() as u32);
        }
    }

    fn keep_early(&mut self, seq: u32, data: &[u8]) {
        if self.early.iter().all(|(kept, bytes)| *kept != seq || bytes.len() < data.len()) {
            self.early.retain(|(kept, _)| *kept != seq);
            self.early.push((seq, data.to_vec()));
        }
    }
}

impl Connection {
    /// Handles a segment of this connection, or an error about one that was sent.
    pub fn on_packet(&mut self, now: Time, packet: &Packet, out: &mut Vec<Packet>) {
        if let Some(unreachable) = packet.unreachable {
            self.on_unreachable(now, unreachable.why, packet.seq, out);
            return;
        }
        match self.state {
            State::Closed => out.extend(reset_for(packet)),
            State::SynSent => self.on_packet_while_connecting(now, packet, out),
            _ => self.on_packet_in_order(now, packet, out),
        }
    }

    pub(super) fn take_syn(&mut self, now: Time, packet: &Packet) {
        self.receive.next = packet.seq.wrapping_add(1);
        self.receive.timestamp = packet.options.timestamps.map_or(0, |(value, _)| value);
        self.receive.acknowledged = self.receive.next;
        self.receive.last_segment = now;
        self.send.negotiate(&packet.options, packet.window);
    }

    fn on_packet_while_connecting(&mut self, now: Time, packet: &Packet, out: &mut Vec<Packet>) {
        let acknowledges = packet.flags.has(Flags::ACK);
        if acknowledges && packet.ack != self.send.next() {
            // A connection of before, with the same ports, that the peer still has. The RST ends it there, and the SYN follows
            // as soon as a timer can (Linux since 5.6, `tcp_rcv_synsent_state_process`), but where it was repeated already.
            if self.send.timeouts == 0 {
                self.send.timer = Some((self.clock(now).after(TIMER_MIN), SendTimer::Retransmit));
            }
            out.extend(reset_for(packet));
            return;
        }
        if packet.flags.has(Flags::RST) {
            if acknowledges {
                self.fail(Failure::Refused);
            }
            return;
        }
        if packet.flags.has(Flags::SYN) && acknowledges {
            self.take_syn(now, packet);
            self.state = State::Established;
            self.acknowledged(packet.ack, packet.options.timestamps.map(|(_, echo)| echo), now);
            self.keepalive.start(self.clock(now), now);
            self.ack.set_due_now();
            self.output_and_acknowledge(now, out);
        }
    }

    fn on_packet_in_order(&mut self, now: Time, packet: &Packet, out: &mut Vec<Packet>) {
        let next = self.receive.next;
        let window = u32::from(self.receive.window(&self.config));
        let end = packet.seq.wrapping_add(packet.seq_len());
        // The SYN-ACK was lost: the peer's SYN is answered once more, and its timer starts anew (`tcp_check_req`).
        if packet.flags.has(Flags::SYN) && self.state == State::SynReceived && end == next {
            if self.ack.may_challenge(now) {
                self.receive.timestamp = packet.options.timestamps.map_or(0, |(value, _)| value);
                self.transmit_again(0, now, out);
                self.send.timer = Some((self.clock(now).after(self.send.rto), SendTimer::Retransmit));
            }
            return;
        }
        let in_window = !before(end, next) && !before(next.wrapping_add(window), packet.seq);
        if packet.flags.has(Flags::RST) {
            // RFC 5961: only the exact number resets; a near miss is asked to repeat itself. Some peers do not count the FIN
            // that they sent (`tcp_reset_check`).
            let not_counting_fin = packet.seq == next.wrapping_sub(1)
                && matches!(self.state, State::CloseWait | State::LastAck | State::Closing);
            if packet.seq == next || not_counting_fin {
                self.fail(Failure::Reset);
            } else if in_window && self.ack.may_challenge(now) {
                self.send_ack(now, out);
            }
            return;
        }
        if packet.flags.has(Flags::SYN) || !in_window {
            // Keepalive and window probes end here: they are answered with what is expected instead, and are no sign of
            // life (`tcp_validate_incoming`).
            let known = packet.seq_len() > 0 && !packet.flags.has(Flags::SYN);
            if known && before(packet.seq, next) {
                self.ack.hurry();
            }
            if known || self.ack.may_challenge(now) {
                self.send_ack(now, out);
            }
            return;
        }
        if !packet.flags.has(Flags::ACK) {
            return;
        }
        self.receive.last_segment = now;
        // RFC 7323, 4.3: the timestamp of the segment that the next acknowledgement will cover first.
        if let Some((value, _)) = packet.options.timestamps
            && !before(self.receive.acknowledged, packet.seq)
            && !before(value, self.receive.timestamp)
        {
            self.receive.timestamp = value;
        }
        if self.take_ack(now, packet, out) && self.take_data(now, packet, out) {
            self.output_and_acknowledge(now, out);
        }
    }

    /// Sends what may be sent now; an acknowledgement that is due at once goes alone only where nothing else went.
    fn output_and_acknowledge(&mut self, now: Time, out: &mut Vec<Packet>) {
        self.output(now, out);
        if self.ack.is_due_now() {
            self.send_ack(now, out);
        }
    }

    /// Returns the acknowledgement in a segment. Whether to go on with its data.
    fn take_ack(&mut self, now: Time, packet: &Packet, out: &mut Vec<Packet>) -> bool {
        let ack = packet.ack;
        if before(self.send.next(), ack) {
            // It acknowledges what was never sent.
            if self.state == State::SynReceived {
                out.extend(reset_for(packet));
            } else if self.ack.may_challenge(now) {
                self.send_ack(now, out);
            }
            return false;
        }
        if self.state == State::SynReceived {
            if ack != self.send.next() {
                return false;
            }
            self.state = State::Established;
            self.keepalive.start(self.clock(now), now);
        }
        self.keepalive.answered();
        if before(ack, self.send.oldest()) {
            return true;
        }
        self.soft_error = None;
        self.send.set_window(ack, packet.window);
        if before(self.send.oldest(), ack) {
            self.acknowledged(ack, packet.options.timestamps.map(|(_, echo)| echo), now);
        } else if matches!(self.send.timer, Some((_, SendTimer::ProbeWindow))) {
            // A peer whose window stays shut but who answers is alive (`tcp_ack_probe`).
            self.send.window_probes = 0;
            self.schedule_window_probe(now);
        }
        if self.send.fin_is_acknowledged() {
            match self.state {
                State::FinWait1 => {
                    self.state = State::FinWait2;
                    // A process that still holds the connection may wait as long as it likes.
                    self.expires = self.orphan.then(|| now + self.config.fin_timeout);
                }
                State::Closing => self.enter_time_wait(now),
                State::LastAck => {
                    self.state = State::Closed;
                    return false;
                }
                _ => {}
            }
        }
        true
    }

    /// Returns the data and the FIN in a segment. Whether the connection still stands.
    fn take_data(&mut self, now: Time, packet: &Packet, out: &mut Vec<Packet>) -> bool {
        let first = self.receive.next;
        // What lies beyond the window was sent by a peer that does not respect it.
        let window_end = first.wrapping_add(u32::from(self.receive.window(&self.config)));
        let room = window_end.wrapping_sub(packet.seq) as usize;
        let data = &packet.payload[..packet.payload.len().min(room)];
        let carries_fin = packet.flags.has(Flags::FIN) && data.len() == packet.payload.len();
        let nothing = data.is_empty() && !carries_fin && packet.payload.is_empty();
        // After the peer's FIN there is no data.
        if nothing || (self.receive.finished && !before(packet.seq, first)) {
            return true;
        }
        let data_end = packet.seq.wrapping_add(data.len() as u32);
        // Nobody will ever read it: Linux answers new data of an abandoned connection with RST.
        if self.orphan && before(first, data_end) {
            out.extend(reset_for(packet));
            self.fail(Failure::Reset);
            return false;
        }
        if carries_fin {
            self.receive.fin = Some(data_end);
        }
        let had_gap = !self.receive.early.is_empty();
        if before(first, packet.seq) {
            self.receive.keep_early(packet.seq, data);
        } else {
            self.receive.take(packet.seq, data);
        }

        let progress = self.receive.next.wrapping_sub(first);
        if progress == 0 {
            // Early, or known already: the peer should learn at once. A FIN again restarts the last wait.
            if self.state == State::TimeWait {
                self.enter_time_wait(now);
            }
            self.ack.hurry();
            self.ack.set_due_now();
            return true;
        }
        let (rto, srtt) = (self.send.rto, self.send.srtt());
        if !data.is_empty() {
            self.ack.data_received(self.clock(now), progress, rto, srtt);
        }
        if had_gap {
            self.ack.set_due_now();
        }
        if self.receive.finished {
            self.on_fin(now);
        }
        true
    }

    fn on_fin(&mut self, now: Time) {
        match self.state {
            State::Established => {
                self.state = State::CloseWait;
                self.ack.fin_received(self.clock(now), self.send.srtt());
            }
            State::FinWait1 => {
                self.state = State::Closing;
                self.ack.set_due_now();
            }
            State::FinWait2 => {
                self.enter_time_wait(now);
                self.ack.set_due_now();
            }
            _ => {}
        }
    }

    fn enter_time_wait(&mut self, now: Time) {
        self.state = State::TimeWait;
        self.send.timer = None;
        self.ack.stop();
        self.expires = Some(now + self.config.time_wait);
    }
}
