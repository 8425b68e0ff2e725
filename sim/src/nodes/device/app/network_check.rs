//! The check whether the network carries anything at all, before an attempt is worth its cost: a SYN to a port of a
//! server's host where nobody listens, which the host's kernel answers with RST. It is the smallest exchange that
//! there is. Products ask a DNS server or fetch a small page (`[carson]` has theirs in an image): an
//! assumption, since the answer is what counts.

use std::{net::SocketAddrV4, time::Duration};

use cardiogram_policies::ReconnectEvent;

use super::{
    Device, Phase,
    side::{News, Role},
};
use crate::{
    nodes::device::Context,
    record::trace::DeviceEvent,
    wire::{address, tcp::Failure},
};

/// The port asked at: `discard` (RFC 863), which nobody has served for decades.
const PORT: u16 = 9;
/// A network that does not answer within this time carries nothing (A): room for one SYN more, a second after the first, and
/// for the slowest round trips that are of any use.
const PATIENCE: Duration = Duration::from_secs(3);

impl Device {
    /// Asks the host of the next server, so that one that is down is not taken for the network.
    pub(super) fn check_network(&mut self, context: &mut Context) {
        let server = (self.server + 1) % context.shared.servers;
        let remote = SocketAddrV4::new(*address::server(server).ip(), PORT);
        let deadline = context.now + PATIENCE;
        // Without a network nobody asks: its coming is what is waited for.
        if self.open_side(Role::Check, server, remote, deadline, context).is_some() {
            self.phase = Phase::Checking;
        }
    }

    pub(super) fn on_check(&mut self, news: News, context: &mut Context) {
        let carries = matches!(news, News::Over(Some(Failure::Refused)));
        let side = self.take_side(Role::Check).expect("it has news");
        self.abandon(side.socket, context);
        context.note(self.index, DeviceEvent::NetworkChecked(carries));
        self.reconnect.on_event(context.now, &ReconnectEvent::NetworkChecked(carries));
        self.plan(context);
    }
}
