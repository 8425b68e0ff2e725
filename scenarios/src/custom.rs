//! Puts the registered policies in the place of the names that a strategy file gives: once, as the file is read.
//!
//! The file is looked at again where such a policy's parameters stand, so that what is wrong with them has its place.

use cardiogram_policies::{Custom, HeartbeatSpec, ReconnectSpec, Registry, StrategySpec, registry::Registered};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    diagnostic::Diagnostic,
    document::{choose, deserialize},
};

/// Resolves the policies of `spec`, which was read from `tree`; what cannot be resolved stays as it is and is told of.
pub(crate) fn resolve(spec: &mut StrategySpec, tree: &Spanned<DeTable<'_>>, registry: &Registry) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if let HeartbeatSpec::Custom(custom) = &mut spec.heartbeat {
        found.extend(put_in(custom, "heartbeat", tree, registry.heartbeats()));
    }
    if let HeartbeatSpec::Guest(guest) = &mut spec.heartbeat {
        match registry.find_guest(guest.name()) {
            Some(known) => *guest = known,
            None => found.push(unknown_guest(guest.name(), tree, registry)),
        }
    }
    if let ReconnectSpec::Custom(custom) = &mut spec.reconnect {
        found.extend(put_in(custom, "reconnect", tree, registry.reconnects()));
    }
    if let Some(custom) = &mut spec.server.custom {
        found.extend(put_in(custom, "server", tree, registry.servers()));
    }
    found
}

/// Resolves the policy that stands in the strategy's `part`.
fn put_in<P: ?Sized>(
    custom: &mut Custom<P>,
    part: &str,
    tree: &Spanned<DeTable<'_>>,
    registered: &Registered<P>,
) -> Vec<Diagnostic> {
    let place = tree.get_ref().get(part).and_then(|it| it.get_ref().as_table()).and_then(|it| it.get("custom"));
    let place = place.expect("it was read from there");
    let (name, parameters) = match place.get_ref() {
        DeValue::Table(table) => {
            let (name, parameters) = table.iter().next().expect("a table without a name was refused");
            (name.span(), parameters.clone())
        }
        _ => (place.span(), Spanned::new(place.span(), DeValue::Table(DeTable::new()))),
    };
    let DeValue::Table(table) = parameters.get_ref() else { unreachable!("parameters that are no table were refused") };
    if registered.names().all(|known| known != custom.name()) {
        return vec![unknown(custom.name(), part, name, registered)];
    }
    let read = |parameters| registered.read(custom.name(), parameters).expect("the name was looked up");
    match deserialize(&Spanned::new(parameters.span(), table.clone()), read) {
        Ok(resolved) => {
            *custom = resolved;
            Vec::new()
        }
        Err(found) => {
            // What concerns the parameters as a whole is shown at the policy's name.
            found.into_iter().map(|it| Diagnostic { span: it.span.or_else(|| Some(name.clone())), ..it }).collect()
        }
    }
}

fn unknown_guest(name: &str, tree: &Spanned<DeTable<'_>>, registry: &Registry) -> Diagnostic {
    let place = tree.get_ref().get("heartbeat").and_then(|it| it.get_ref().as_table()).and_then(|it| it.get("guest"));
    let known: Vec<&str> = registry.guests().collect();
    let help = if known.is_empty() {
        "this program brings no guests; docs/model/guests.md tells how one does".into()
    } else {
        choose(name, &known, "registered are")
    };
    Diagnostic {
        message: format!("no guest is registered as `{name}`"),
        span: place.map(Spanned::span),
        help: Some(help),
    }
}

fn unknown<P: ?Sized>(name: &str, part: &str, span: std::ops::Range<usize>, registered: &Registered<P>) -> Diagnostic {
    let known: Vec<&str> = registered.names().collect();
    let help = if known.is_empty() {
        format!("this program brings no {part} policies of its own; docs/own-policy.md tells how one does")
    } else {
        choose(name, &known, "registered are")
    };
    Diagnostic { message: format!("no {part} policy is registered as `{name}`"), span: Some(span), help: Some(help) }
}
