//! `cardiogram list`: what is built in.

use std::io::Write;

use cardiogram_policies::{Registry, measured, preset, strategy::Evidence};
use cardiogram_scenarios::{
    library, load,
    network::{NetworkPreset, networks, servers},
};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::Failure;

/// List what is built in
#[derive(clap::Args)]
pub(super) struct Args {
    /// What to list
    #[arg(value_enum)]
    what: What,
    /// As JSON, with sources
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Scenarios, for `run`, `trace` and `show`: what each is about, where its numbers come from, what to expect
    Scenarios,
    /// Strategies, for `--strategy` and `show`
    Strategies,
    /// Links, radios, NATs and servers that a scenario file can name
    Networks,
}

/// What a list says of one thing. Texts are broken into lines as their files have them.
struct Item {
    kind: &'static str,
    /// What it stands under in the list, where that has groups.
    group: Option<String>,
    name: String,
    about: String,
    source: String,
    /// What a good strategy shows there: of scenarios only.
    expect: Option<String>,
    /// How it is known that a product does this, and what of which product was measured: of strategies only.
    evidence: Option<(Evidence, Vec<String>)>,
}

pub(super) fn run(args: &Args, registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    let items = match args.what {
        What::Scenarios => scenarios()?,
        What::Strategies => strategies(registry)?,
        What::Networks => {
            let presets = networks();
            presets
                .link
                .iter()
                .map(|it| network("link", it))
                .chain(presets.radio.iter().map(|it| network("radio", it)))
                .chain(presets.nat.iter().map(|it| network("nat", it)))
                .chain(presets.proxy.iter().map(|it| network("proxy", it)))
                .chain(servers().iter().map(|it| network("server", it)))
                .collect()
        }
    };
    if args.json {
        let items: Vec<Value> = items.iter().map(Item::json).collect();
        writeln!(out, "{:#}", Value::Array(items))?;
        return Ok(());
    }
    if let What::Scenarios = args.what {
        for item in &items {
            item.tell(out)?;
        }
        return Ok(());
    }
    let width = items.iter().map(|item| item.name.len()).max().unwrap_or(0);
    let mut group = None;
    for item in &items {
        if group != item.group {
            writeln!(out, "{}:", heading(item.group.as_deref().unwrap_or_default()))?;
            group.clone_from(&item.group);
        }
        writeln!(out, "{:width$}  {}", item.name, one_line(&item.about))?;
    }
    Ok(())
}

impl Item {
    fn json(&self) -> Value {
        let mut item = json!({
            "kind": self.kind,
            "name": self.name,
            "about": one_line(&self.about),
            "source": one_line(&self.source),
        });
        if let Some(expect) = &self.expect {
            item["expect"] = one_line(expect).into();
        }
        if let Some(group) = self.group.as_ref().filter(|group| *group != self.kind && !group.is_empty()) {
            item["family"] = group.as_str().into();
        }
        if let Some((evidence, measured)) = &self.evidence {
            item["evidence"] = evidence.name().into();
            if !measured.is_empty() {
                item["measured"] = measured.as_slice().into();
            }
        }
        item
    }

    /// Tells everything, in paragraphs under the name.
    fn tell(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "{}", self.name)?;
        let expect = self.expect.as_deref().unwrap_or_default();
        for (label, text) in [("", self.about.as_str()), ("Source: ", &self.source), ("Expect: ", expect)] {
            for (place, line) in text.trim().lines().enumerate() {
                writeln!(out, "    {}{line}", if place == 0 { label } else { "" })?;
            }
        }
        Ok(())
    }
}

fn scenarios() -> Result<Vec<Item>, Failure> {
    let items = library::names().map(|name| {
        let it = load::scenario(name)?.value;
        let (kind, expect) = ("scenario", Some(it.expect));
        Ok(Item { kind, group: None, name: it.name, about: it.about, source: it.source, expect, evidence: None })
    });
    items.collect()
}

/// Returns what stands above a group: of a family, what to call its members together, too.
fn heading(group: &str) -> String {
    match preset::FAMILIES.iter().find(|family| family.name == group) {
        Some(family) => format!("{}/* ({})", family.name, family.about),
        None if group.is_empty() => "strategies without a family".into(),
        None => group.into(),
    }
}

/// Returns the strategies, gathered by families; these and their strategies in the order of the presets.
fn strategies(registry: &Registry) -> Result<Vec<Item>, Failure> {
    let items = registry.presets().map(|preset| {
        let it = load::strategy(preset.name, None, registry)?.value;
        let group = Some(it.family.unwrap_or_default());
        let evidence = it.evidence.map(|evidence| (evidence, measured::of(preset)));
        Ok(Item { kind: "strategy", group, name: it.name, about: it.about, source: it.source, expect: None, evidence })
    });
    let items = items.collect::<Result<Vec<_>, Failure>>()?;
    let mut families: Vec<Vec<Item>> = Vec::new();
    for item in items {
        match families.iter_mut().find(|family| family[0].group == item.group) {
            Some(family) => family.push(item),
            None => families.push(vec![item]),
        }
    }
    Ok(families.into_iter().flatten().collect())
}

fn network<T>(kind: &'static str, (name, network): (&String, &NetworkPreset<T>)) -> Item {
    let (about, source) = (network.about.clone(), network.source.clone());
    Item { kind, group: Some(kind.into()), name: name.clone(), about, source, expect: None, evidence: None }
}

/// Text that its file breaks into lines, on one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
