//! The columns of `runs.csv` that a file may lack: one that was written elsewhere, or by an earlier version.

/// Names each column once, for the code and for the file.
macro_rules! columns {
    ($($(#[$doc:meta])* $column:ident $name:literal,)*) => {
        /// A column of numbers that `runs.csv` may have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Column { $($(#[$doc])* $column,)* }

        impl Column {
            /// All of them, each at the place that it is as a number.
            pub(crate) const ALL: &[Self] = &[$(Self::$column,)*];

            /// Its name in the file.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$column => $name,)* }
            }
        }
    };
}

columns! {
    DataUp "data_up",
    PureAckUp "pure_ack_up",
    SynUp "syn_up",
    FinUp "fin_up",
    RstUp "rst_up",
    RetransmissionUp "retransmission_up",
    ProbeUp "probe_up",
    DataDown "data_down",
    PureAckDown "pure_ack_down",
    SynDown "syn_down",
    FinDown "fin_down",
    RstDown "rst_down",
    RetransmissionDown "retransmission_down",
    ProbeDown "probe_down",
    EnergyJ "energy_j",
    RadioWakeups "radio_wakeups",
    RadioOnS "radio_on_s",
    PushesCreated "pushes_created",
    PushesDelivered "pushes_delivered",
    PushDelayMeanS "push_delay_mean_s",
    PushDelayP95S "push_delay_p95_s",
    ZombieS "zombie_s",
    ServerCpuS "server_cpu_s",
    ConnectAttempts "connect_attempts",
    AttemptsPeakPerS "attempts_peak_per_s",
    SessionsPeak "sessions_peak",
    IntervalLastS "interval_last_s",
    NatTimeoutS "nat_timeout_s",
    NatExpiries "nat_expiries",
    RecoverMeanS "recover_mean_s",
    RecoverP95S "recover_p95_s",
}

/// The values of one run; an absent one is not a number.
#[derive(Debug, Clone)]
pub(crate) struct Values(Box<[f64]>);

impl Values {
    /// From what each column holds.
    pub(crate) fn read<E>(of: impl Fn(Column) -> Result<Option<f64>, E>) -> Result<Self, E> {
        let value = |&column: &Column| of(column).map(|value| value.unwrap_or(f64::NAN));
        Column::ALL.iter().map(value).collect::<Result<_, E>>().map(Self)
    }

    /// `None`: the file lacks the column, or the field is empty.
    pub(crate) fn get(&self, column: Column) -> Option<f64> {
        Some(self.0[column as usize]).filter(|value| !value.is_nan())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_under_the_column_it_was_read_from() {
        let values = Values::read(|column| Ok::<_, ()>(Some(column.name().len() as f64))).unwrap();
        for &column in Column::ALL {
            assert_eq!(values.get(column), Some(column.name().len() as f64), "{column:?}");
        }
        assert_eq!(Values::read(|_| Ok::<_, ()>(None)).unwrap().get(Column::EnergyJ), None);
    }
}
