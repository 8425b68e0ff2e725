//! The keys of a world and of each of its networks, said once: meaning, name, type, default.
//!
//! [`WorldConfig`] and [`NetworkConfig`] are made of these lists here. A scenario's file has the same keys: the scenarios
//! crate makes its types of the lists, too. So a new key is an entry here, and whoever heeds it.

use cardiogram_policies::StrategySpec;

/// Hands the keys of a `world`, or those of a `network`, to a macro, behind what else that is told:
/// `keys!(world => make! { told })` is `make! { told ENTRY ... }`.
///
/// An entry is the meaning, the name and the type. `as` says of a key that a file writes differently from what its type
/// has: a name in place of the parameters, for example. Behind `=` is the default; a key that has none is `required`, and
/// goes by this name among the arguments of `new`.
#[doc(hidden)]
#[macro_export]
macro_rules! keys {
    (world => $make:ident! { $($told:tt)* }) => {
        $make! {
            $($told)*
            /// How long a run lasts, at most 366 days.
            duration: std::time::Duration as span, required duration;
            /// The devices.
            devices: $crate::config::DevicesConfig = Default::default();
            /// The kind of the devices' network, `cellular`, `wifi` or `wired`: what their systems tell the policies; it changes
            /// nothing else. Default `cellular`.
            network_kind: cardiogram_policies::NetworkKind = Default::default();
            /// The link between each device and the NAT: a preset's name or a table.
            access: $crate::config::LinkConfig as link, required access;
            /// The radio of every device: a preset's name or a table. Default: none, so that sending costs neither time nor
            /// energy.
            radio: Option<$crate::config::RadioConfig> as radio = None;
            /// The NAT that all devices sit behind: a preset's name or a table; or an array of those, from the device to the
            /// server (home router, carrier, load balancer), joined by 1 ms each way. Default: one with the table's defaults.
            nat: Vec<$crate::config::NatConfig> as nats = vec![$crate::config::NatConfig::default()];
            /// Further networks that devices can attach to, each with a name and its own `kind`, `access`, `radio` and `nat`. The
            /// scenario's own are the network `main`.
            networks: std::collections::BTreeMap<String, $crate::config::NetworkConfig> as networks = Default::default();
            /// The link between the last NAT and the servers, or the proxy in front of them: a preset's name or a table.
            core: $crate::config::LinkConfig as link, required core;
            /// A layer-7 proxy in front of the servers: a preset's name or a table. Default: none, so that connections lead from
            /// the devices to the servers.
            proxy: Option<$crate::config::ProxyConfig> as proxy = None;
            /// The servers: a preset's name or a table. Default: the table's defaults.
            server: $crate::config::ServerConfig as server = Default::default();
            /// How the devices are used: networks, foreground and background, doze.
            life: $crate::config::LifeConfig = Default::default();
            /// What the application has to say.
            traffic: $crate::config::TrafficConfig = Default::default();
            /// The push service beside the long connections, which wakes devices. Default: there is none.
            wakeup: Option<$crate::config::WakeupConfig> = None;
            /// What goes wrong.
            faults: Vec<$crate::config::FaultConfig> = Vec::new();
        }
    };
    (network => $make:ident! { $($told:tt)* }) => {
        $make! {
            $($told)*
            /// The kind of this network, as `network_kind` is of the scenario's own. Default `cellular`.
            kind: cardiogram_policies::NetworkKind = Default::default();
            /// The link between each device and the first NAT: a preset's name or a table.
            access: $crate::config::LinkConfig as link, required access;
            /// The radio that every device has for it: a preset's name or a table. Default: none.
            radio: Option<$crate::config::RadioConfig> as radio = None;
            /// Its NATs: a preset's name, a table, or an array of those. Default: one with the table's defaults.
            nat: Vec<$crate::config::NatConfig> as nats = vec![$crate::config::NatConfig::default()];
        }
    };
}

/// Makes a struct of what is its own and of keys, and its `new`, which takes what is required and what is its own.
macro_rules! config {
    (
        $(#[$about:meta])*
        $config:ident { $($(#[$of_own:meta])* $own:ident: $own_type:ty,)* }
        $(#[$of_new:meta])*
        new;
        $(
            $(#[$meaning:meta])+
            $key:ident: $type:ty $(as $in_file:ident)? $(= $default:expr)? $(, required $given:ident)?;
        )+
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $config {
            $($(#[$meaning])+ pub $key: $type,)+
            $($(#[$of_own])* pub $own: $own_type,)*
        }

        impl $config {
            $(#[$of_new])*
            pub fn new($($($given: $type,)?)+ $($own: $own_type,)*) -> Self {
                Self { $($key: $($default)? $($given)?,)+ $($own,)* }
            }
        }
    };
}

keys!(world => config! {
    /// Everything that decides a run, but the seed.
    ///
    /// Its keys are those of a scenario's file; a preset's name there stands for the parameters here. More keys are to come:
    /// write a world as [`WorldConfig::new`] and what differs, and it goes on to compile.
    ///
    /// ```
    /// # use cardiogram_policies::{StrategySpec, unit::{Delay, Span}};
    /// # use cardiogram_sim::{WorldConfig, config::{DevicesConfig, Distribution, LinkConfig}};
    /// # fn world(strategy: StrategySpec) -> WorldConfig {
    /// let link = LinkConfig::of_delay(Distribution::Constant(Span::millis(25)));
    /// WorldConfig {
    ///     devices: DevicesConfig { count: 100, ..DevicesConfig::default() },
    ///     ..WorldConfig::new(Span::secs(3_600).get(), link.clone(), link, strategy)
    /// }
    /// # }
    /// ```
    WorldConfig {
        /// What client and server do about it.
        strategy: StrategySpec,
    }
    /// A world without faults and without traffic: one device behind one NAT, each with its defaults, that starts within the
    /// first minute.
    new;
});

keys!(network => config! {
    /// A further network that devices can attach to. What it does not have of its own are the core link and the servers.
    NetworkConfig {}
    /// A cellular network without radio, behind one NAT with its defaults.
    new;
});
