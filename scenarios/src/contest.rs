//! A scenario with the strategies that are to be compared in it, and whether they fit together.

use cardiogram_policies::{Problem, StrategySpec, preset};

use crate::{diagnostic::Invalid, document, load::Loaded, scenario::Scenario};

/// A scenario and the strategies to be compared in it.
#[derive(Clone, Debug)]
pub struct Contest {
    /// What messages call the scenario: its path, or its name where it is built in.
    pub origin: String,
    /// The scenario that all of them run in.
    pub scenario: Loaded<Scenario>,
    /// The strategies that are compared.
    pub strategies: Vec<Loaded<StrategySpec>>,
}

impl Contest {
    /// Returns the strategy that the scenario names to compare the others with, if it is here.
    pub fn reference(&self) -> Option<&str> {
        let name = preset::name_today(self.scenario.value.reference.as_deref()?);
        self.strategies.iter().map(|strategy| strategy.value.name.as_str()).find(|there| *there == name)
    }

    /// Finds contradictions in the world that the strategies are to meet, which is one for all of them.
    ///
    /// # Errors
    ///
    /// Returns the problems, at their places in the scenario's file.
    pub fn check(&self) -> Result<(), Invalid> {
        let Some(strategy) = self.strategies.first() else { return Ok(()) };
        let world = |strategy: &Loaded<StrategySpec>| self.scenario.value.world(&strategy.value);
        let mut problems = world(strategy).problems();
        // What guests do not know depends on which they are.
        for strategy in &self.strategies {
            let of_guest = cardiogram_sim::guest_problems(&world(strategy)).into_iter();
            let named = |it: Problem| Problem { message: format!("{}: {}", strategy.value.name, it.message), ..it };
            problems.extend(of_guest.map(named));
        }
        if problems.is_empty() {
            return Ok(());
        }
        let text = &self.scenario.text;
        let found = problems.into_iter().map(|problem| document::place(text, problem)).collect();
        Err(Invalid::new(&self.origin, text, found))
    }
}
