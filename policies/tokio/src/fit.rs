//! Whether a strategy can run here: what contradicts itself, or needs what is not there, is refused by name, before anything
//! runs.

use std::{error::Error, fmt};

use cardiogram_policies::{HeartbeatSpec, Mechanism, Need, Problem, StrategySpec};

/// Why a strategy cannot run here: one problem or more, each with the key of the strategy's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Problem { path, message, help }) in self.problems.iter().enumerate() {
            let separator = if place == 0 { "" } else { "\n" };
            write!(f, "{separator}{path}: {message}; {help}")?;
        }
        Ok(())
    }
}

impl Error for Unfit {}

/// Checks the strategy itself.
pub(crate) fn check_spec(strategy: &StrategySpec) -> Result<(), Unfit> {
    let mut problems = strategy.problems();
    if matches!(strategy.heartbeat, HeartbeatSpec::KnownNatTimeout(_)) {
        let message = "this heartbeat knows the timeout of every NAT, which nobody knows outside of a laboratory";
        problems.push(Problem::new(
            "heartbeat.known-nat-timeout",
            message,
            "use a heartbeat with an interval of its own",
        ));
    }
    if let HeartbeatSpec::Guest(guest) = &strategy.heartbeat {
        let message = format!("the guest `{}` is a program that keeps its connection by itself", guest.name());
        problems.push(Problem::new("heartbeat.guest", message, "run that program, or use a heartbeat policy"));
    }
    if problems.is_empty() { Ok(()) } else { Err(Unfit { problems }) }
}

/// Checks that everything in `needs` is offered; `help` says of a mechanism that is not what would offer it.
pub(crate) fn check_needs(
    needs: &[Need],
    offers: impl Fn(Mechanism) -> bool,
    help: impl Fn(Mechanism) -> &'static str,
) -> Result<(), Unfit> {
    let unmet = needs.iter().filter(|need| !offers(need.mechanism));
    let problems: Vec<Problem> = unmet.map(|need| need.unmet(help(need.mechanism))).collect();
    if problems.is_empty() { Ok(()) } else { Err(Unfit { problems }) }
}

/// Returns what would offer a mechanism of transports.
pub(crate) const fn transport_help(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Keepalive | Mechanism::UserTimeout | Mechanism::LastHeard => {
            "use a TcpStream, or Socket::under for a stream over one, on a system that has it, or another strategy"
        }
        Mechanism::Probe | Mechanism::Race => "use a Link, which can open a second connection, or another strategy",
        Mechanism::NetworkCheck => "say how to check by `check`, or leave the rule out",
        _ => "use another strategy",
    }
}
