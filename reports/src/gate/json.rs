//! The comparison as JSON, for programs: every cell with every metric that differs, its values, interval and verdict.

use serde_json::{Value, json};

use super::{
    compare::{CellComparison, Comparison, MetricComparison},
    results::Results,
    verdict::{Strictness, Verdict},
};

impl Comparison {
    /// Returns the comparison as JSON, with the command that shows the worst run of each cell that became worse.
    pub fn json(&self, results: &Results, strictness: Strictness) -> Value {
        let cell = |cell: &CellComparison| {
            let worst = cell.worst().and_then(|it| it.worst);
            json!({
                "scenario": cell.name.scenario,
                "strategy": cell.name.strategy,
                "identical": cell.is_identical(),
                "same_trace": cell.same_trace,
                "strategy_changed": cell.strategy_changed,
                "metrics": cell.metrics.iter().map(|it| metric(it, strictness)).collect::<Vec<_>>(),
                "command": worst.map(|worst| results.command(&cell.name, worst.seed)),
            })
        };
        let counts = Verdict::ALL.map(|it| (it.name().to_owned(), self.count(it).into()));
        let new = self.new.iter().map(|it| json!({ "scenario": it.scenario, "strategy": it.strategy }));
        json!({
            "passes": self.passes(strictness),
            "seeds": self.seeds,
            "alpha": self.alpha,
            "intervals": self.family,
            "verdicts": Value::Object(counts.into_iter().collect()),
            "cells": self.cells.iter().map(cell).collect::<Vec<_>>(),
            "new": new.collect::<Vec<_>>(),
        })
    }
}

fn metric(it: &MetricComparison, strictness: Strictness) -> Value {
    json!({
        "metric": it.metric.name(),
        "verdict": it.verdict.name(),
        "fails": it.verdict.fails(strictness),
        "baseline": it.baseline,
        "now": it.current,
        "difference": it.difference,
        "low": it.interval.map(|(low, _)| low),
        "high": it.interval.map(|(_, high)| high),
        "allowed": it.margin,
        "worst_seed": it.worst.map(|worst| worst.seed),
        "seeds_to_decide": it.seeds_to_decide,
    })
}
