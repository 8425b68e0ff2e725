//! The rules for the proxy and its faults.

use cardiogram_policies::unit::Span;

use super::Found;
use crate::config::{Distribution, PORTS_MAX, ProxyConfig, WorldConfig};

impl Found {
    pub(super) fn proxy(&mut self, proxy: &ProxyConfig, world: &WorldConfig) {
        let (devices, ports) = (world.devices.count, u64::from(PORTS_MAX) * u64::from(world.server.count));
        if u64::from(devices) > ports {
            let message =
                format!("{devices} devices come from the proxy's address, which has {ports} ports towards the servers");
            self.add("proxy", message, "use fewer devices, or more servers");
        }
        let idles = [("client_idle", proxy.client_idle), ("server_idle", proxy.server_idle), ("idle", proxy.idle)];
        for (name, idle) in idles.into_iter().filter_map(|(name, idle)| Some((name, idle?))) {
            self.max_age(&format!("proxy.{name}"), &Distribution::Constant(idle));
        }
        self.tcp("proxy.tcp", &proxy.tcp);
        if let Some(age) = &proxy.max_age {
            self.max_age("proxy.max_age", age);
        }
        let of_one = |(name, idle): (&str, Option<Span>)| Some((name.to_owned(), idle?));
        let shortest = idles[..2].iter().copied().filter_map(of_one).min_by_key(|(_, idle)| idle.get());
        if let (Some(both), Some((name, one))) = (proxy.idle, shortest)
            && both.get() >= one.get()
        {
            self.add(
                "proxy.idle",
                format!("whoever is silent for {one} is ended by `{name}` before both have been for {both}"),
                format!("use less than \"{one}\", or leave one of them out"),
            );
        }
    }

    /// A fault at `path` of the proxy.
    pub(super) fn proxy_fault(&mut self, path: &str, world: &WorldConfig) {
        if world.proxy.is_none() {
            let help = "say which, as in proxy = \"nginx\", or take a fault of a server";
            self.add(path, "there is no proxy in front of the servers", help);
        }
    }
}
